import { availableParallelism, cpus } from 'node:os';
import { NO_PEER, Peer } from './peer.js';

/** What figures belong to, as a record says it. */
export function machineOf(threads: number) {
  return { cpu: cpus()[0]?.model ?? 'unknown', threads, parallelism: availableParallelism() };
}

export interface NetworksBenchOptions {
  readonly nets: readonly string[];
  readonly rounds: number;
  readonly threads: number;
  readonly peers: boolean;
}

/** Times one network after the other beside a peer, where there is one, and says each row as it is found. */
export async function benchNetworks<Row>(
  { nets, rounds, threads, peers }: NetworksBenchOptions,
  peerName: string,
  benchOne: (net: string, peer: Peer | undefined, versions: Record<string, string>) => Promise<Row>,
  log: (line: string) => void,
  format: (row: Row) => string,
) {
  const peer = peers ? Peer.find(peerName) : undefined;
  if (peers && peer === undefined) log(`${NO_PEER}: ours only`);
  const rows: Row[] = [];
  const versions: Record<string, string> = { node: process.versions.node };
  try {
    for (const net of nets) {
      const row = await benchOne(net, peer, versions);
      rows.push(row);
      log(format(row));
    }
  } finally {
    peer?.close();
  }
  return { date: new Date().toISOString(), machine: machineOf(threads), versions, rounds, rows };
}
