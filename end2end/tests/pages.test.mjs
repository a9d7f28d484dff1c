// The ways in, the budget and the calculator in a real browser.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { assertLooksRight, fixtures, getReport, hydrated, looks, openPage, postUsage, startBrowser, startServer } from '../harness.mjs';

let server, browser;
before(async () => {
  server = await startServer({ CLAUDE_CONFIG_DIR: path.join(fixtures, 'claude-code', 'real') });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('real logs are imported with one click, and the cards show exactly what they cost', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/start`);
  await hydrated(page);
  await page.locator('#import').getByText('2 logs').waitFor();
  await page.locator('#import').getByRole('button', { name: 'Import' }).click();
  await page.locator('#import .import-result').waitFor();
  await page.locator('#import').getByText(/Received, first at/).waitFor();
  // Three calls of one log, one of which holds a declined attempt of another model, and three that stand nested only.
  assert.match(await page.locator('#import .import-figures').textContent(), /^7entries recorded/);
  await page.locator('#import').getByText('6 calls').waitFor();

  await page.goto(`${server.url}/?from=2026-07-22&to=2026-07-22`);
  await hydrated(page);
  // By hand, per million. claude-opus-4-8: 4 × $5 + 2,797 × $10 (1-hour writes) + 163,659 × $0.50 + 287 × $25;
  // the declined attempt on claude-fable-5: 2 × $10 + 21,874 × $20 (1-hour writes) + 32,238 × $1 + 2 × $50.
  const figures = await page.locator('#figures .metric-figure').allTextContents();
  assert.deepEqual(figures, ['$0.5868', '3', '221K', '$0.1956']);
  const exact = (await getReport(server.url, 'from=2026-07-22&to=2026-07-22')).summary.totalCostUsd;
  assert.equal(exact, '0.5868325');

  await page.goto(`${server.url}/start`);
  await hydrated(page);
  await page.locator('#import').getByRole('button', { name: 'Import again' }).click();
  await page.locator('#import .import-result').getByText(/had not changed/).waitFor();
  assert.equal((await getReport(server.url, 'from=2026-07-22&to=2026-07-22')).summary.totalCalls, 3);
  page.assertSilent();
  await page.context().close();
});

test('the curl line of the page works as it stands', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/start`);
  await hydrated(page);
  const snippet = await page.locator('#api pre').first().textContent();
  assert.match(snippet, new RegExp(`${server.url}/api/analytics/usage`));
  const body = snippet.slice(snippet.indexOf("'{") + 1, snippet.lastIndexOf("}'") + 1);
  const answer = await postUsage(server.url, JSON.parse(body));
  assert.equal(answer.body.status, 'recorded', JSON.stringify(answer.body));
  await page.locator('#api').getByText(/Received, first at/).waitFor();
  page.assertSilent();
  await page.context().close();
});

test('a lower limit crosses the thresholds, and the Overview says so', async () => {
  await postUsage(server.url, { id: 'dear', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 300_000 } });
  const page = await openPage(browser);
  await page.goto(`${server.url}/budgets`);
  await hydrated(page);
  const limit = page.getByLabel('Limit', { exact: true });
  await limit.fill('1e3');
  await page.getByRole('button', { name: 'Save budget' }).click();
  assert.equal(await limit.getAttribute('aria-invalid'), 'true');
  await limit.fill('1.00');
  await page.getByRole('button', { name: 'Save budget' }).click();
  await page.locator('.alerts', { hasText: '$1.00 budget' }).waitFor();
  const { budget, alerts } = await getReport(server.url, 'range=month');
  assert.deepEqual([budget.limit, alerts[0].level, alerts.length], [100, 'critical', 3]);
  await page.goto(`${server.url}/`);
  await page.locator('.alerts', { hasText: '$1.00 budget' }).waitFor();
  page.assertSilent();
  await page.context().close();
});

test('a budget is saved without JavaScript, and a wrong one names its field', async () => {
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${server.url}/budgets`);
  await page.getByLabel('Limit', { exact: true }).fill('25.50');
  await page.getByLabel('Time zone').fill('Asia/Kathmandu');
  await page.getByRole('button', { name: 'Save budget' }).click();
  await page.waitForLoadState();
  const budget = await (await fetch(`${server.url}/api/analytics/budget`)).json();
  assert.equal(budget.budget?.limit ?? budget.limit ?? budget.monthlyLimitCents, 2550);
  await page.goto(`${server.url}/budgets`);
  await page.getByLabel('Time zone').fill('Mars/Olympus');
  await page.getByRole('button', { name: 'Save budget' }).click();
  await page.waitForLoadState();
  assert.equal(await page.getByLabel('Time zone').getAttribute('aria-invalid'), 'true');
  assert.equal(await page.getByLabel('Time zone').inputValue(), 'Mars/Olympus', 'what was typed is kept');
  await page.context().close();
});

test('an anomaly appears when today is far above the week before', async () => {
  const noon = (days) => new Date(Date.now() - days * 86_400_000).toISOString();
  const quiet = [1, 2, 3, 4, 5, 6, 7].map((days) => ({
    id: `quiet-${days}`, model: 'claude-haiku-4-5', usage: { input_tokens: 1_000 }, occurredAt: noon(days),
  }));
  await postUsage(server.url, quiet);
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await page.locator('.alerts', { hasText: 'Token spike' }).waitFor();
  await page.locator('.alerts').getByRole('link', { name: 'See today by the hour' }).first().click();
  await page.waitForURL(/range=day/);
  page.assertSilent();
  await page.context().close();
});

test('the calculator compares models at the published prices, in an address that can be shared', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/calculator`);
  await hydrated(page);
  await page.getByLabel('Input', { exact: true }).fill('1000000');
  await page.getByLabel('Output', { exact: true }).fill('0');
  await page.getByRole('button', { name: /compare|calculate|work out/i }).first().click();
  await page.waitForURL(/input=1000000/);
  const text = await page.locator('#quotes').textContent();
  assert.match(text, /claude-opus-4|claude-opus-5/);
  const html = await (await fetch(page.url())).text();
  assert.match(html, /id="quotes"/);
  page.assertSilent();
  await page.context().close();
});

for (const name of ['start', 'budgets', 'budgets?edit=new', 'calculator', 'keys', 'alerts', 'alerts/channels', 'settings']) {
  for (const look of looks) {
    test(`/${name} at ${look.title}: nothing sideways, axe finds nothing`, async () => {
      const page = await openPage(browser, look.options);
      await page.goto(`${server.url}/${name}`);
      await hydrated(page);
      await assertLooksRight(page, `${name.replaceAll(/\W/g, '-')}-${look.file}`);
      page.assertSilent();
      await page.context().close();
    });
  }
}

test('the theme that was chosen is in the first byte of the next page', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/budgets`);
  await page.locator('[data-set-theme="dark"]').first().click();
  assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
  await page.goto(`${server.url}/calculator`, { waitUntil: 'commit' });
  assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
  page.assertSilent();
  await page.context().close();
});
