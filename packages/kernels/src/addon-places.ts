import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The platforms that have a package `@unitscope/kernels-<platform>` with a prebuilt addon, and what it asks for. */
const PREBUILT: Readonly<Record<string, string>> = { 'linux-x64': 'glibc 2.34 or newer' };

export interface AddonPlaces {
  /** Files or packages, in the order they are tried. */
  readonly places: readonly string[];
  /** What to do if none of them can be loaded. */
  readonly remedy: string;
}

/**
 * Where the native addon may lie: what UNITSCOPE_ADDON names and nothing else, or in a checkout its own build, then the
 * platform package.
 */
export function addonPlaces(): AddonPlaces {
  const { UNITSCOPE_ADDON: named } = process.env;
  if (named !== undefined && named !== '') {
    return { places: [named], remedy: 'let UNITSCOPE_ADDON name an addon of this version, or unset it' };
  }
  const platform = `${process.platform}-${process.arch}`;
  const platformPackage = `@unitscope/kernels-${platform}`;
  const native = new URL('../../../native/', import.meta.url);
  if (existsSync(new URL('CMakeLists.txt', native))) {
    return {
      places: [fileURLToPath(new URL('build/Release/unitscope.node', native)), platformPackage],
      remedy: 'run `npm run setup` in this checkout (needs cmake and a C++ compiler)',
    };
  }
  const needs = PREBUILT[platform];
  return {
    places: [platformPackage],
    remedy:
      needs === undefined
        ? `there is no prebuilt addon for ${platform}: build one from unitscope's sources and name it in UNITSCOPE_ADDON`
        : `install ${platformPackage} in the version of @unitscope/kernels (it needs ${needs}; npm leaves it out with ` +
          `--omit=optional), or name a build of your own in UNITSCOPE_ADDON`,
  };
}
