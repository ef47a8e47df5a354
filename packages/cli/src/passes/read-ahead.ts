/**
 * The items of a stream in order, the next one being made while the one before is used: never more than one waits. An
 * error comes where its item would have. When the reader stops, what is in the making is finished and dropped.
 */
export async function* readAhead<T>(stream: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const source = stream[Symbol.asyncIterator]();
  const ask = () => {
    const next = source.next();
    // Whoever awaits it later sees the error; until then it must not count as unhandled.
    next.catch(() => {});
    return next;
  };
  let next = ask();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = ask();
      yield value;
    }
  } finally {
    await Promise.allSettled([next, source.return?.()]);
  }
}
