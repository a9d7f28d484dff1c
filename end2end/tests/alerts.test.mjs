// Alerts in a real browser: they come by themselves, tell their evidence, and can be acknowledged with and without scripts.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, hydrated, keepScreenshot, looks, openPage, postUsage, startBrowser, startServer } from '../harness.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function setLimit(cents) {
  const response = await fetch(`${server.url}/api/analytics/budget`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ monthlyLimitCents: cents }),
  });
  assert.equal(response.status, 200);
}

async function alerts(query = '') {
  return (await (await fetch(`${server.url}/api/analytics/alerts?${query}`)).json()).alerts;
}

test('with nothing wrong the page says so', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Alerts' }).click();
  await page.getByText('Nothing needs looking at').waitFor();
  page.assertSilent();
  await page.context().close();
});

test('a crossed threshold appears by itself, leads to its days and is acknowledged', async () => {
  await setLimit(100);
  const page = await openPage(browser);
  await page.goto(`${server.url}/alerts`);
  await hydrated(page);
  // 200,000 × $3 per million = $0.60 of $1.
  await postUsage(server.url, { id: 'dear', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 200_000, output_tokens: 0 } });
  const item = page.locator('.alert-item');
  await item.waitFor();
  assert.match(await item.textContent(), /Monthly budget: \$0\.60 of \$1\.00 spent this month \(60\.0 %\), past the mark of 50 %\./);
  await item.getByText('What it was spent on').click();
  const model = item.getByRole('link', { name: 'claude-sonnet-4-20250514' });
  assert.match(await model.getAttribute('href'), /^\/\?from=\d{4}-\d\d-01&to=.*&model=claude-sonnet-4-20250514$/);
  await keepScreenshot(page, 'alerts-open');

  await item.getByRole('button', { name: /^Acknowledge/ }).click();
  await page.getByText('Nothing needs looking at').waitFor();
  assert.equal((await alerts('state=open')).length, 0);
  await page.getByRole('link', { name: 'All', exact: true }).click();
  await page.locator('.alert-item').getByText(/^Acknowledged/).waitFor();
  await page.getByRole('link', { name: 'Anomalies' }).click();
  await page.getByText('No day was unusual yet').waitFor();

  await page.goto(`${server.url}/alerts?show=all`);
  await page.getByRole('link', { name: 'See those days on the Overview' }).click();
  await page.locator('#figures .metric-figure').first().waitFor();
  assert.equal(await page.locator('#figures .metric-figure').first().textContent(), '$0.60');
  page.assertSilent();
  await page.context().close();
});

test('the strip on the Overview leads to the alerts', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.locator('.alerts-all').click();
  await page.waitForURL(/\/alerts$/);
  page.assertSilent();
  await page.context().close();
});

test('without JavaScript an alert is acknowledged, and an anomaly called normal', async () => {
  // Yesterday a little, today a lot: unusual by the mean of the days before.
  const yesterday = new Date(Date.now() - 86_400_000).toISOString();
  await postUsage(server.url, {
    id: 'little', occurredAt: yesterday, model: 'claude-sonnet-4-20250514', usage: { input_tokens: 1_000, output_tokens: 0 },
  });
  await postUsage(server.url, { id: 'more', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 60_000, output_tokens: 0 } });
  const deadline = Date.now() + 10_000;
  while ((await alerts('kind=anomaly')).length === 0 || (await alerts('kind=budget')).length < 2) {
    assert.ok(Date.now() < deadline, 'the watch has not looked');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${server.url}/alerts?show=budgets`);
  await page.getByRole('button', { name: /^Acknowledge/ }).first().click();
  await page.waitForURL(/\/alerts\?show=budgets$/);
  assert.equal((await alerts('kind=budget&state=open')).length, 0);

  await page.goto(`${server.url}/alerts?show=anomalies`);
  await page.getByRole('button', { name: /^This is normal/ }).first().click();
  await page.waitForURL(/\/alerts\?show=anomalies$/);
  await page.getByText(/^Called normal/).first().waitFor();
  assert.ok((await alerts('kind=anomaly')).some((alert) => alert.isNormal));
  await page.context().close();
});

for (const look of looks) {
  test(`/alerts at ${look.title}: nothing sideways, axe finds nothing`, async () => {
    const page = await openPage(browser, look.options);
    await page.goto(`${server.url}/alerts?show=all`);
    await hydrated(page);
    await assertLooksRight(page, `alerts-${look.file}`);
    page.assertSilent();
    await page.context().close();
  });
}
