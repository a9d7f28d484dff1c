// A conversation in the browser: streamed, priced, stopped, refused.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, hydrated, keepScreenshot, looks, openPage, postUsage, startBrowser, startProvider, startServer } from '../harness.mjs';

let provider, server, browser;
before(async () => {
  provider = await startProvider({ input_tokens: 1_000, output_tokens: 200, cache_read_input_tokens: 10_000 });
  server = await startServer({ TOLLBRIDGE_GATEWAY__UPSTREAM_URL: provider.url, ANTHROPIC_API_KEY: 'sk-ant-of-the-server' });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.stop();
});

async function openChat(options) {
  const page = await openPage(browser, options);
  await page.goto(`${server.url}/chat`);
  await hydrated(page);
  return page;
}

/** The newest events, once there are that many: the page knows a cost before the ledger has it. */
async function newestEvents(count) {
  for (let wait = 0; wait < 40; wait += 1) {
    const { events } = await (await fetch(`${server.url}/api/analytics/events?limit=${count}`)).json();
    if (events.length === count) return events;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`there are no ${count} events`);
}

test('an answer is streamed, and what it cost stands under it', async () => {
  const page = await openChat();
  await page.getByLabel('Message').fill('Good morning?');
  await page.getByLabel('Message').press('Enter');
  await page.locator('.turn-answer', { hasText: 'Good morning.' }).waitFor();
  // claude-haiku-4-5: 1,000 × $1 + 10,000 × $0.10 + 200 × $5, per million; the cache saved 10,000 × $0.90.
  await page.locator('.turn-cost', { hasText: '$0.003' }).waitFor();
  assert.match(await page.locator('.turn-usage').textContent(), /1\.00K.*200.*10\.0K.*\$0\.009/s);
  assert.equal((await newestEvents(1))[0].costUsd, '0.003');

  await page.getByLabel('Message').fill('And\nthen?');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.turn-cost').nth(1).waitFor();
  assert.match(await page.locator('#chat-total').textContent(), /\$0\.006/);
  const events = await newestEvents(2);
  assert.equal(events[0].conversationId, events[1].conversationId);
  assert.deepEqual(events.map((event) => event.source), ['chat', 'chat']);
  page.assertSilent();
  await page.context().close();
});

test('what is stopped is recorded, and its cost is told as an estimate', async () => {
  provider.hold = true;
  const page = await openChat();
  await page.getByLabel('Message').fill('Tell me much');
  await page.getByLabel('Message').press('Enter');
  await page.locator('.turn-answer', { hasText: 'Good' }).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  provider.hold = false;
  await page.getByText('Stopped by you').waitFor();
  await page.locator('.turn-usage', { hasText: 'estimated' }).waitFor();
  assert.equal((await newestEvents(1))[0].errorMessage, 'client_closed');
  page.assertSilent();
  await page.context().close();
});

test('a budget that blocks says so in its own words, and nothing is asked', async () => {
  await postUsage(server.url, { id: 'dear', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 1_000_000 } });
  const budget = { monthlyLimitCents: 100, alertThreshold1: 50, alertThreshold2: 75, alertThreshold3: 90, atLimit: 'block' };
  const change = (body) => fetch(`${server.url}/api/analytics/budget`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.equal((await change(budget)).status, 200);
  const asked = provider.seen.length;
  const page = await openPage(browser);
  await page.goto(`${server.url}/chat`);
  await hydrated(page);
  await page.getByLabel('Message').fill('May I?');
  await page.getByLabel('Message').press('Enter');
  await page.locator('.turn-failure', { hasText: 'Spend limit reached' }).waitFor();
  assert.equal(provider.seen.length, asked);
  await keepScreenshot(page, 'chat-refused');
  await change({ ...budget, atLimit: 'notify' });
  await page.getByRole('button', { name: 'Ask again' }).click();
  await page.locator('.turn-cost').waitFor();
  assert.equal(await page.locator('.turn').count(), 1);
  await page.context().close();
});

test('on a narrow screen the bar has four pages, and More has the rest', async () => {
  const page = await openChat({ viewport: { width: 375, height: 800 } });
  const bar = page.getByRole('navigation', { name: 'Pages' });
  assert.equal(await bar.getByRole('link').count(), 4);
  await bar.getByRole('button', { name: 'More' }).click();
  await keepScreenshot(page, 'more-375');
  await bar.getByRole('link', { name: 'Get started' }).click();
  await page.waitForURL(/\/start/);
  await bar.getByRole('link', { name: 'Keys' }).waitFor({ state: 'hidden' });
  page.assertSilent();
  await page.context().close();
});

test('without a provider key the page says what to do', async () => {
  const bare = await startServer();
  const page = await openPage(browser);
  await page.goto(`${bare.url}/chat`);
  await hydrated(page);
  await page.getByText('The chat needs a provider key').waitFor();
  await keepScreenshot(page, 'chat-no-key');
  page.assertSilent();
  await page.context().close();
  await bare.stop();
});

for (const look of looks) {
  test(`/chat at ${look.title}: nothing sideways, axe finds nothing`, async () => {
    const page = await openChat(look.options);
    await keepScreenshot(page, `chat-empty-${look.file}`);
    await page.getByLabel('Message').fill(`Good morning? ${'What is the time over there? '.repeat(8)}`);
    await page.getByLabel('Message').press('Enter');
    await page.locator('.turn-cost').waitFor();
    await page.getByLabel('Message').fill('Is a very long second question shown in full while it is written, line by line?');
    await assertLooksRight(page, `chat-${look.file}`);
    page.assertSilent();
    await page.context().close();
  });
}
