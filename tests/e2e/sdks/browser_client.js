// Runs in a page of a shop: makes ready and drives an SDK for browsers, as its page would.
const loaders = {
  "@segment/analytics-next": async (url, key) => {
    const endpoint = { apiHost: `${new URL(url).host}/v1`, protocol: "http" };
    const sdk = window.AnalyticsNext.AnalyticsBrowser.load(
      { writeKey: key, cdnURL: url },
      { integrations: { "Segment.io": endpoint } },
    );
    await sdk;
    return { sdk, anonymousId: async () => (await sdk.user()).anonymousId() };
  },
  "@rudderstack/analytics-js": async (url, key) => {
    const sdk = new window.rudderanalytics.RudderAnalytics();
    sdk.load(key, url, { configUrl: url, polyfillIfRequired: false, logLevel: "NONE" });
    await new Promise((ready) => sdk.ready(ready));
    return { sdk, anonymousId: async () => sdk.getAnonymousId() };
  },
};

window.begin = async (name, url, key) => {
  window.client = await loaders[name](url, key);
  return window.client.anonymousId();
};

window.send = (messages) => {
  const calls = {
    page: (m) => window.client.sdk.page(m.name),
    track: (m) => window.client.sdk.track(m.event, m.properties ?? {}),
    identify: (m) => window.client.sdk.identify(m.userId, m.traits),
    alias: (m) => window.client.sdk.alias(m.userId),
  };
  for (const message of messages) calls[message.call](message);
};

window.sendSlowly = (messages, gap) => {
  const next = (n) => {
    if (n === messages.length) return;
    window.send([messages[n]]);
    setTimeout(() => next(n + 1), gap);
  };
  next(0);
};
