// The two packages ship no types. Declared here is what color-map.ts uses of them.

declare module 'd3-scale-chromatic' {
  export function interpolateViridis(t: number): string;
  export function interpolateMagma(t: number): string;
  export function interpolateInferno(t: number): string;
  export function interpolateTurbo(t: number): string;
  export function interpolateRdBu(t: number): string;
}

declare module 'd3-color' {
  export function rgb(specifier: string): { readonly r: number; readonly g: number; readonly b: number };
}
