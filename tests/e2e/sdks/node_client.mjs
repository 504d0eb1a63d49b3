// Sends what it is told with an SDK for Node, and ends once the SDK has nothing left to send.
import { Analytics } from "@segment/analytics-node";
import Rudder from "@rudderstack/rudder-sdk-node";

const told = JSON.parse(process.argv[2]);
const failures = [];
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function segment() {
  const sdk = new Analytics({ writeKey: told.key, host: told.url, flushAt: 15, flushInterval: 200 });
  sdk.on("error", (error) => failures.push(String(error.reason ?? error.code)));
  return { sdk, end: () => sdk.closeAndFlush({ timeout: 120_000 }) };
}

function rudder() {
  // Three tries in 1.5 seconds are the default; a restart takes longer.
  const sdk = new Rudder(told.key, {
    dataPlaneUrl: told.url,
    flushAt: 20,
    flushInterval: 200,
    retryCount: 12,
    errorHandler: (error) => failures.push(String(error)),
  });
  const end = async () => {
    while (sdk.queue.length > 0) await sdk.flush();
    await sdk.flush();
  };
  return { sdk, end };
}

const { sdk, end } = told.sdk === "@segment/analytics-node" ? segment() : rudder();
for (const { call, gap = 0, ...message } of told.messages) {
  sdk[call](message);
  if (gap) await sleep(gap);
}
await end();
console.log(JSON.stringify({ failures }));
process.exit(failures.length ? 1 : 0);
