import { expect, test } from '@jest/globals';
import { arrivedError, carriedError } from '../../client/carried-error.ts';
import { ConfigError, DataError, ModelError, PrivacyError, ProtocolError } from '../../errors.ts';

const sent = (error: unknown) => arrivedError(structuredClone(carriedError(error)));

test.each([ConfigError, DataError, ModelError, PrivacyError, ProtocolError])(
  'a %p stays one, with message, stack and causes',
  (type) => {
    const error = new type('what is wrong', { cause: new DataError('why', { cause: 'a word' }) });
    const arrived = sent(error);
    expect(arrived).toBeInstanceOf(type);
    expect(arrived).toMatchObject({ name: type.name, message: 'what is wrong', stack: error.stack });
    expect(arrived.cause).toBeInstanceOf(DataError);
    expect(arrived.cause).toMatchObject({ message: 'why', cause: { message: 'a word' } });
  },
);

test('an error that nobody expects keeps its stack, and is none of ours', () => {
  const error = new RangeError('Invalid array length');
  const arrived = sent(error);
  expect(arrived).toMatchObject({ message: error.message, stack: error.stack });
  expect(arrived.stack).toMatch(/^RangeError/);
  expect(arrived).not.toBeInstanceOf(ModelError);
});

test('what is thrown and no error becomes one', () => {
  expect(sent('a word').message).toBe('a word');
});
