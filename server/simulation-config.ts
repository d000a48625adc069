import { z } from 'zod';

const probability = z.number().min(0).max(1);
const positive = z.number().gt(0);
const spread = z
  .number()
  .min(0)
  .max(5)
  .default(0)
  .describe(
    'Standard deviation of the logarithm of a device’s factor, lognormal with median 1; 0 = all devices alike.',
  );
const hour = z.number().min(0).lt(24);

const dropout = z.strictObject({
  beforeTraining: probability
    .default(0)
    .describe('Probability that a sampled client is lost before it receives the model.'),
  afterTraining: probability
    .default(0)
    .describe('Probability that a client is lost after its training, before it sends.'),
});

const compute = z.strictObject({
  secondsPerStep: positive.describe('Seconds of one local step on the median device.'),
  spread,
});

const bandwidth = z.strictObject({
  downloadMbps: positive.describe('Megabits per second that the median device receives.'),
  uploadMbps: positive.describe('Megabits per second that the median device sends.'),
  spread,
});

const availability = z
  .strictObject({
    peak: probability.describe('Part of the devices that are available at the best hour.'),
    trough: probability.default(0).describe('Part of the devices that are available twelve hours from it.'),
    peakHour: hour.default(2).describe('Best hour of the day, in a device’s own time: many charge at night.'),
    timeZones: z
      .array(z.number().min(-12).max(14))
      .min(1)
      .default([0])
      .describe('Hours that devices’ clocks are ahead of the server’s; each device has one of them.'),
  })
  .refine(({ peak, trough }) => trough <= peak, { error: 'trough must not exceed peak', path: ['trough'] });

/** The `simulation` section of a run: what becomes of the clients that are sampled, and how long it would take real devices. */
export const simulationConfig = z
  .strictObject({
    overSelection: z
      .number()
      .min(1)
      .default(1)
      .describe(
        'Clients are sampled with q = overSelection · S / K, which epsilon accounts; sums are still divided by S, to which dropout should bring them back.',
      ),
    dropout: dropout.prefault({}).describe('Clients lost by chance, each by its own draw.'),
    compute: compute.optional().describe('Speed of devices; left out, training takes no simulated time.'),
    bandwidth: bandwidth.optional().describe('Speed of connections; left out, transfers take no simulated time.'),
    deadlineSeconds: positive
      .optional()
      .describe('A client whose result would come later than this after the start of the round is not summed.'),
    roundSeconds: positive
      .optional()
      .describe(
        'Seconds from the start of a round to the start of the next. Left out, rounds follow each other at once.',
      ),
    startHour: hour.default(0).describe('Hour of the day, on the server’s clock, at which round 1 starts.'),
    availability: availability
      .optional()
      .describe('Part of the devices available by hour of their day, along a cosine.'),
  })
  .superRefine((config, context) => {
    const problem = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    const { deadlineSeconds, roundSeconds, compute, bandwidth, availability } = config;
    if (deadlineSeconds !== undefined && compute === undefined && bandwidth === undefined)
      problem('deadlineSeconds', 'nothing takes time, so nobody can miss it; set compute or bandwidth, or remove it');
    if (availability !== undefined && roundSeconds === undefined)
      problem('roundSeconds', 'availability goes by the time of day at which rounds start; set roundSeconds');
    if (roundSeconds !== undefined && (compute !== undefined || bandwidth !== undefined)) {
      if (deadlineSeconds === undefined)
        problem(
          'deadlineSeconds',
          'rounds that start every roundSeconds must end before; set it to roundSeconds or less',
        );
      else if (deadlineSeconds > roundSeconds)
        problem('deadlineSeconds', `${deadlineSeconds} s are more than roundSeconds (${roundSeconds} s); lower it`);
    }
  });
export type SimulationConfig = z.infer<typeof simulationConfig>;
