// The cases that every client runs; see ../cases.py, from which the names and constants come.

const { key, model, problem, tooLong, retryAfter, names } = JSON.parse(process.env.EPF_CLIENT_CONSTANTS);
const servers = JSON.parse(process.env.EPF_CLIENT_SERVERS);
const GUARD_MS = 60_000;

export { key as KEY, model as MODEL, problem as PROBLEM, tooLong as TOO_LONG, GUARD_MS };

export const messages = (content = problem) => [{ role: "user", content }];

export const url = (server) => `${servers[server]}/v1`;

export const address = (server) => servers[server];

export function check(condition, ...shown) {
  if (!condition) throw new Error(`not as expected: ${shown.map((value) => JSON.stringify(value)).join(", ")}`);
}

export function equal(found, expected) {
  check(JSON.stringify(found) === JSON.stringify(expected), found, expected);
}

// The error that an action must end with.
export async function raised(action) {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error("no error was raised");
}

// Check that an action succeeds, but only after the server's Retry-After: a client's own pause would be shorter.
export async function afterRetry(action) {
  const start = performance.now();
  await action();
  const waited = (performance.now() - start) / 1000;
  check(waited >= retryAfter, `retried after ${waited} s`);
}

// Ask until the answer is as wanted.
export async function until(ask, wanted) {
  const deadline = performance.now() + GUARD_MS;
  for (;;) {
    const found = await ask();
    if (wanted(found)) return found;
    check(performance.now() < deadline, found);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function running() {
  const response = await fetch(`${servers.endless}/running`, { headers: { authorization: `Bearer ${key}` } });
  return response.json();
}

export const untilSomethingRuns = () => until(running, (count) => count > 0);

export const untilNothingRuns = () => until(running, (count) => count === 0);

export async function collected(events) {
  const found = [];
  for await (const event of events) found.push(event);
  return found;
}

// Run all cases and print one line of JSON with their outcomes. `otherwise` is the reason why others are missing.
export async function report(client, cases, otherwise) {
  const unknown = Object.keys(cases).filter((name) => !names.includes(name));
  check(unknown.length === 0, unknown);
  const results = {};
  for (const name of names) {
    const action = cases[name] ?? otherwise;
    if (typeof action === "string") {
      results[name] = `n/a: ${action}`;
      continue;
    }
    try {
      await action();
      results[name] = "ok";
    } catch (error) {
      console.error(`${client}, ${name}:`, error);
      results[name] = `FAILED: ${error.name}: ${error.message}`;
    }
  }
  console.log(JSON.stringify({ client, results }));
}
