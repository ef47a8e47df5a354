import { encodeForRuntime, type Graph } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import * as ort from 'onnxruntime-node';

/** A network of one input run by ONNX Runtime itself, called as its users call it: the yardstick. */
export class Forward {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async open(graph: Graph, threads: number): Promise<Forward> {
    const { bytes, externalData } = encodeForRuntime(graph);
    const session = await ort.InferenceSession.create(bytes, {
      externalData: [...externalData],
      intraOpNumThreads: threads,
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    return new Forward(session);
  }

  async run({ data, dims }: Tensor): Promise<void> {
    const [name] = this.#session.inputNames;
    await this.#session.run({ [name!]: new ort.Tensor('float32', data, dims) });
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
