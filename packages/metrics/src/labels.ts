import type { IouConcepts } from '@unitscope/kernels';
import { UnitscopeError } from '@unitscope/tensor';

/** A concept that pixels or whole pictures are labelled with. */
export interface Label {
  /** Its number in the label maps, from 1; 0 stands for no label. */
  readonly index: number;
  readonly name: string;
  /** One of the table's categories: "object", "part", "color". */
  readonly category: string;
}

/** The concepts of a data set. */
export interface LabelTable {
  readonly categories: readonly string[];
  readonly labels: readonly Label[];
}

// Counts are kept for every unit and index up to the largest, so a stray index must not ask for gigabytes.
const MAX_INDEX = 2 ** 20;

/**
 * The category of every label index, as the IoU kernel takes it: -1 for indices that no label has.
 *
 * Throws `bad-input` for an index that is 0, too large or given twice, for a category that is not in the list or given
 * twice, and for a table without labels.
 */
export function conceptsOf({ categories, labels }: LabelTable): IouConcepts {
  const bad = (why: string) => new UnitscopeError('bad-input', `the label table is wrong: ${why}`);
  const numbers = new Map(categories.map((name, number) => [name, number]));
  if (numbers.size !== categories.length) throw bad('a category is given twice');
  if (labels.length === 0) throw bad('it has no labels');
  const last = labels.reduce((most, { index }) => Math.max(most, index), 0);
  if (!(last <= MAX_INDEX)) throw bad(`index ${last} is above ${MAX_INDEX}`);
  const categoryOf = new Int32Array(last + 1).fill(-1);
  for (const { index, name, category } of labels) {
    if (!Number.isInteger(index) || index < 1)
      throw bad(`label "${name}" has index ${index}; indices are integers from 1, 0 is no label`);
    if (categoryOf[index] !== -1) throw bad(`index ${index} is given twice`);
    const number = numbers.get(category);
    if (number === undefined)
      throw bad(`label "${name}" is of category "${category}"; there are: ${categories.join(', ')}`);
    categoryOf[index] = number;
  }
  return { categoryOf, categories: categories.length };
}
