import { Model } from '@unitscope/model';
import { afterEach } from 'vitest';

const open: Model[] = [];
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));

/** The model, which is closed after the test. */
export function closedAfterwards(model: Model): Model {
  open.push(model);
  return model;
}

/** `Model.load`; the model is closed after the test. */
export async function load(...parameters: Parameters<typeof Model.load>): Promise<Model> {
  return closedAfterwards(await Model.load(...parameters));
}
