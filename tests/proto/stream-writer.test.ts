import { describe, expect, test } from '@jest/globals';
import { StreamWriter } from '../../proto/stream-writer.ts';

/** A transport that takes messages when told to. */
function manualSink() {
  const written: string[] = [];
  const callbacks: ((error?: Error | null) => void)[] = [];
  return {
    written,
    callbacks,
    write(message: string, sent: (error?: Error | null) => void) {
      written.push(message);
      callbacks.push(sent);
      return true;
    },
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('StreamWriter', () => {
  test('writes a message only when the transport took the one before', async () => {
    const sink = manualSink();
    const writer = new StreamWriter<string>(sink);
    const all = Promise.all([writer.send('a'), writer.send('b')]);
    await turn();
    expect(sink.written).toEqual(['a']);
    sink.callbacks[0]();
    await turn();
    expect(sink.written).toEqual(['a', 'b']);
    sink.callbacks[1]();
    await all;
  });

  test('fails pending and later sends when the stream is gone', async () => {
    const sink = manualSink();
    const writer = new StreamWriter<string>(sink);
    const pending = writer.send('a');
    const queued = writer.send('b');
    await turn();
    writer.abandon(new Error('gone'));
    await expect(pending).rejects.toThrow('gone');
    await expect(queued).rejects.toThrow('gone');
    await expect(writer.send('c')).rejects.toThrow('gone');
    expect(sink.written).toEqual(['a']);
  });

  test('a failed message fails alone', async () => {
    const sink = manualSink();
    const writer = new StreamWriter<string>(sink);
    const first = writer.send('a');
    const second = writer.send('b');
    await turn();
    sink.callbacks[0](new Error('broken'));
    await expect(first).rejects.toThrow(/could not be sent: broken/);
    await turn();
    sink.callbacks[1]();
    await second;
  });
});
