// Put this into a page of yours and call track(): it resolves once the touchpoint is durable.
const JOURNEYLINE = "https://journeyline.example";
const WRITE_KEY = "wk_…"; // may be public: it can only post for its source

const visitor = (localStorage.visitor ??= crypto.randomUUID?.() ?? String(Math.random()));

async function track(type, properties = {}, customer = {}) {
  const touchpoint = {
    event_id: `${visitor}-${Date.now()}-${Math.random().toString(36).slice(2)}`,
    type,
    occurred_at: new Date().toISOString(),
    customer: { anonymous_id: visitor, ...customer },
    properties,
    context: { page: { url: location.href, title: document.title } },
  };
  for (let wait = 1; ; wait = Math.min(wait * 2, 60)) {
    touchpoint.sent_at = new Date().toISOString(); // of this try, so that a wrong clock is corrected
    try {
      const answer = await fetch(`${JOURNEYLINE}/v1/touchpoints`, {
        method: "POST",
        keepalive: true, // also while the page is being left
        headers: { "X-Write-Key": WRITE_KEY },
        body: JSON.stringify(touchpoint),
      });
      if (answer.status !== 429 && answer.status < 500) return await answer.json();
      wait = Number(answer.headers.get("Retry-After")) || wait;
    } catch {
      // nobody answered: the same event id makes trying again harmless
    }
    await new Promise((done) => setTimeout(done, wait * 1000));
  }
}
