// The promise of the first page: point a client at it, and the call is on the dashboard a moment later.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { getReport, hydrated, openPage, startBrowser, startProvider, startServer } from '../harness.mjs';

let provider, server, browser;
before(async () => {
  provider = await startProvider({ input_tokens: 1000, output_tokens: 200, cache_read_input_tokens: 10_000 });
  server = await startServer({ TOLLBRIDGE_GATEWAY__UPSTREAM_URL: provider.url });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.stop();
});

function send() {
  return fetch(`${server.url}/v1/messages?beta=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'sk-ant-test', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: 'claude-opus-5', max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] }),
  });
}

test('a call passes through and is in the ledger with its exact cost', async () => {
  const answer = await send();
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).usage.output_tokens, 200);
  const callId = answer.headers.get('x-tollbridge-call-id');
  assert.deepEqual(provider.seen, [{ path: '/v1/messages?beta=true', key: 'sk-ant-test' }]);
  let event;
  for (let wait = 0; wait < 40 && !event?.costUsd; wait += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    event = await (await fetch(`${server.url}/api/analytics/events/${callId}`)).json();
  }
  // 1,000 × $5 + 10,000 × $0.50 + 200 × $25, per million.
  assert.deepEqual([event.costUsd, event.source, event.pricingState], ['0.015', 'gateway', 'exact']);
});

test('an open page shows the next call by itself, within two seconds', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/?range=day`);
  await hydrated(page);
  const calls = () => page.locator('#figures .metric-figure').nth(1).textContent();
  assert.equal(await calls(), '1');
  await page.locator('.live-on').waitFor();
  await send();
  await page.waitForFunction(
    () => document.querySelectorAll('#figures .metric-figure')[1]?.textContent === '2',
    null,
    { timeout: 3_000 },
  );
  assert.equal((await getReport(server.url, 'range=day')).summary.totalCostUsd, '0.03');
  page.assertSilent();
  await page.context().close();
});
