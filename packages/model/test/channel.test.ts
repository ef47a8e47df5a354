import { describe, expect, it } from 'vitest';
// The built one: a worker thread cannot run TypeScript.
import { Channel } from '../dist/onnxruntime-node/channel.js';
import { Channel as Unbuilt } from '../src/onnxruntime-node/channel.js';

describe('Channel', () => {
  it('rejects everything that waits when its thread fails, and what comes after', async () => {
    const channel = new Channel();
    const broken = channel.send({
      kind: 'run',
      session: 1,
      feeds: undefined as never,
      outputs: undefined,
      abandoned: undefined,
    });
    const behind = channel.send({ kind: 'release', session: 1 });
    const stopped = {
      code: 'backend',
      message: expect.stringMatching(/^the engine onnxruntime-node has stopped: /),
    };
    await expect(broken).rejects.toMatchObject(stopped);
    await behind.catch(() => {});
    await expect(channel.send({ kind: 'release', session: 1 })).rejects.toMatchObject(stopped);
    await channel.close();
  });

  it('says what to do when its thread is not built', () => {
    expect(() => new Unbuilt()).toThrow(
      expect.objectContaining({ code: 'backend', message: expect.stringContaining('npm run build') }),
    );
  });
});
