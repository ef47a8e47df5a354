import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { type Bar, barChart, histogram, lineChart } from '../src/index.js';

/** The document's elements, with their attributes as numbers. */
function elements(svg: string, name: string) {
  const { document } = parseHTML(`<html><body>${svg}</body></html>`);
  return [...document.querySelectorAll(name)].map((element) => ({
    text: element.textContent ?? '',
    number: (attribute: string) => Number(element.getAttribute(attribute)),
    fill: element.getAttribute('fill'),
    stroke: element.getAttribute('stroke'),
  }));
}

const BARS: readonly Bar[] = [
  { group: 'object', kind: 'units', value: 80 },
  { group: 'object', kind: 'concepts', value: 20 },
  { group: 'part', kind: 'units', value: 40 },
  { group: 'part', kind: 'concepts', value: 0 },
];

describe('a bar chart', () => {
  const labels = { title: 'What <they> detect', valueLabel: 'how many' };
  const svg = barChart(BARS, labels);

  it('is one SVG document with its title once, escaped', () => {
    expect(svg.startsWith('<svg')).toBe(true);
    expect(svg).toContain('xmlns="http://www.w3.org/2000/svg"');
    expect(svg.match(/What &lt;they&gt; detect/g)).toHaveLength(1);
    expect(svg).not.toContain('<they>');
  });

  it('has a bar for each value, as long as it, and says it', () => {
    const widths = elements(svg, 'rect')
      .filter(({ fill }) => fill === '#4269d0' || fill === '#efb118')
      .map((bar) => bar.number('width'))
      .sort((a, b) => b - a);
    expect(widths[1]! / widths[0]!).toBeCloseTo(0.5, 6);
    expect(widths[2]! / widths[0]!).toBeCloseTo(0.25, 6);
    const texts = elements(svg, 'text').map(({ text }) => text);
    for (const label of ['80 units', '20 concepts', '40 units', '0 concepts', 'object', 'part', 'how many'])
      expect(texts).toContain(label);
  });

  it('writes the value of a bar below zero on the side that is free', () => {
    const bars = [-3, 1].map((value, i) => ({ group: 'unit', kind: ['before', 'after'][i]!, value }));
    const below = barChart(bars, labels);
    const [zero] = elements(below, 'rect').filter(({ fill }) => fill === '#efb118');
    const text = below.match(/<text[^>]*translate\(([\d.]+),[^>]*>-3 before/);
    expect(Number(text?.[1])).toBeCloseTo(zero!.number('x'), 0);
  });

  it('is the same for the same values', () => {
    expect(barChart(BARS, labels)).toBe(svg);
  });
});

describe('a histogram', () => {
  const labels = { title: 'IoU', valueLabel: 'IoU', countLabel: 'units', interval: 0.1 };

  it('has a bar for each interval that holds a value, as high as their number', () => {
    const svg = histogram([0.05, 0.06, 0.07, 0.08, 0.25, 0.27], { ...labels, mark: 0.2 });
    const heights = elements(svg, 'rect').map((bar) => bar.number('height'));
    expect(heights).toHaveLength(2);
    expect(heights[1]! / heights[0]!).toBeCloseTo(0.5, 6);
    expect(svg).toContain('stroke-dasharray');
    expect(histogram([0.05], labels)).not.toContain('stroke-dasharray');
  });

  it('of nothing is an empty one', () => {
    expect(elements(histogram([], labels), 'rect')).toHaveLength(0);
  });
});

describe('a line chart', () => {
  const lines = [
    { label: 'one', values: [0, 1, 4, 9] },
    { label: 'two', values: [0, 2, 5, 9] },
  ];
  const svg = lineChart(lines, { title: 'Growth', valueLabel: 'height', stepLabel: 'day' });

  it('is one SVG document with a line and a label for each series, labels apart', () => {
    expect(svg.startsWith('<svg')).toBe(true);
    const texts = elements(svg, 'text').map(({ text }) => text);
    for (const label of ['one', 'two', 'height', 'day', 'Growth']) expect(texts).toContain(label);
    const strokes = elements(svg, 'path').filter(({ stroke }) => stroke?.startsWith('#') === true);
    expect(new Set(strokes.map(({ stroke }) => stroke)).size).toBe(2);
  });

  it('has no label where there is one series', () => {
    const alone = lineChart([lines[0]!], { title: 'Growth', valueLabel: 'height', stepLabel: 'day' });
    expect(elements(alone, 'text').map(({ text }) => text)).not.toContain('one');
  });

  it('names its steps, shortens long names, and leaves a gap where there is no value', () => {
    const broken = [{ label: 'one', values: [1, Number.NaN, 0.5, 0.25] }, lines[1]!];
    const names = ['trained', 'fc', 'a-name-of-more-than-twenty-two-characters', 'conv1'];
    const drawn = lineChart(broken, {
      title: 'Similarity',
      valueLabel: 'rank',
      stepLabel: 'layer',
      stepNames: names,
      domain: [0, 1],
    });
    const texts = elements(drawn, 'text').map(({ text }) => text);
    for (const label of ['trained', 'fc', 'conv1', `…${names[2]!.slice(-21)}`, 'one'])
      expect(texts).toContain(label);
    expect(texts).not.toContain(names[2]);
    expect(drawn).not.toContain('NaN');
  });
});
