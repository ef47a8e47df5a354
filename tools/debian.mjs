// Tools of Debian that the tests use where they are there. On a CI machine they are installed; elsewhere a line says how.
import { spawnSync } from 'node:child_process';

const quietly = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Whether the package's tool is there, after an attempt to install it where that may be done. */
export function ensureDebianPackage(name, isThere) {
  if (isThere()) return true;
  const mayInstall =
    process.env.CI !== undefined && process.getuid?.() === 0 && quietly('apt-get', ['--version']);
  if (mayInstall) {
    console.log(`unitscope: installing ${name}`);
    if (!quietly('apt-get', ['install', '-y', name])) {
      quietly('apt-get', ['update']);
      quietly('apt-get', ['install', '-y', name]);
    }
    if (isThere()) return true;
  }
  console.log(`unitscope: SKIPPED what needs ${name}: it is not installed (apt-get install ${name})`);
  return false;
}

export const hasCommand = (command) => () => quietly(command, ['--version']);

export const hasPackage = (name) => () => quietly('dpkg', ['-s', name]);

export const hasPythonModule = (name) => () => quietly('python3', ['-c', `import ${name}`]);
