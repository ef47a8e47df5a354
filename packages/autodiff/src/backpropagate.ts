import type { Node } from '@unitscope/onnx';
import { createContext, type Differentiation } from './context.js';
import type { Rule } from './rule.js';

export interface Backpropagation {
  /** The nodes the signal passes, in the order of the forward pass, each with its rule. */
  readonly path: readonly Node[];
  readonly rules: ReadonlyMap<Node, Rule>;
  /** The signals it starts from, by value. */
  readonly start: ReadonlyMap<string, string>;
  /** May change the signal of a value once all of it has arrived, before it goes on. */
  readonly revise?: (value: string, signal: string) => string;
}

/**
 * Writes the backward pass, last node first, signals that meet summed. Gives what arrived at a value, undefined where
 * nothing did.
 */
export function backpropagate(
  differentiation: Differentiation,
  { path, rules, start, revise = (_, signal) => signal }: Backpropagation,
): (value: string) => string | undefined {
  const { builder, active } = differentiation;
  const arrived = new Map([...start].map(([value, signal]) => [value, [signal]]));
  const totals = new Map<string, string>();
  const total = (value: string): string | undefined => {
    const known = totals.get(value);
    const parts = arrived.get(value);
    if (known !== undefined || parts === undefined) return known;
    const sum = parts.length > 1 ? builder.node('Sum', parts, {}, { name: `grad/${value}/Sum` }) : parts[0]!;
    const revised = revise(value, sum);
    totals.set(value, revised);
    return revised;
  };
  for (const node of [...path].reverse()) {
    const signals = node.outputs.map(total);
    if (signals.every((signal) => signal === undefined)) continue;
    const passed = rules.get(node)!.backward(createContext(differentiation, node, signals));
    for (const [input, signal] of passed.entries()) {
      const value = node.inputs[input];
      if (signal === undefined || value === undefined || !active.has(value)) continue;
      const parts = arrived.get(value);
      if (parts === undefined) arrived.set(value, [signal]);
      else parts.push(signal);
    }
  }
  return total;
}
