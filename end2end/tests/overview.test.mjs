// The Overview in a real browser, on the release build: figures, ranges, the address, charts, looks.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, getReport, hydrated, keepScreenshot, looks, openPage, postUsage, startBrowser, startServer } from '../harness.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const figures = (page) => page.locator('#figures .metric-figure').allTextContents();
const DAY_MS = 86_400_000;

/** A call of `days` ago, at an hour that is the same day in every test zone. */
function call(id, days, extra = {}) {
  const noon = new Date(Date.now() - days * DAY_MS);
  if (days > 0) noon.setUTCHours(11, 0, 0, 0);
  return {
    id,
    model: 'claude-sonnet-4-20250514',
    usage: { input_tokens: 1000, output_tokens: 500 },
    responseTimeMs: 1200,
    occurredAt: noon.toISOString(),
    ...extra,
  };
}

test('the first start is friendly and leads to the ways in', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.getByText('Nothing is recorded yet').waitFor();
  assert.ok((await page.locator('.ways a[href^="/start"]').count()) >= 3);
  await keepScreenshot(page, 'first-start-1280');
  page.assertSilent();
  await page.context().close();
});

test('posted usage is on the cards, exactly', async () => {
  const answer = await postUsage(server.url, [call('a', 0), call('b', 1), call('c', 40)]);
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.body.results.map((one) => one.status), ['recorded', 'recorded', 'recorded']);
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  // Two calls in the last 30 days: 2 × ($0.003 + $0.0075).
  assert.deepEqual(await figures(page), ['$0.021', '2', '3.00K', '$0.0105']);
  page.assertSilent();
  await page.context().close();
});

test('the same call sent twice is one call', async () => {
  const again = await postUsage(server.url, call('a', 0));
  assert.equal(again.body.status, 'duplicate');
  assert.equal((await getReport(server.url, 'range=month')).summary.totalCalls, 2);
});

test('every range is a link, changes the address and the figures, and back undoes it', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  for (const [label, range, calls] of [['Day', 'day', '1'], ['Week', 'week', '2'], ['Year', 'year', '3']]) {
    await page.getByRole('group', { name: 'Period' }).getByRole('link', { name: label }).click();
    await page.waitForFunction((wanted) => document.querySelectorAll('#figures .metric-figure')[1]?.textContent === wanted, calls);
    assert.equal(new URL(page.url()).searchParams.get('range'), range);
  }
  await page.goBack();
  await page.waitForFunction(() => document.querySelectorAll('#figures .metric-figure')[1]?.textContent === '2');
  assert.equal(new URL(page.url()).searchParams.get('range'), 'week');
  await page.keyboard.press('y');
  await page.waitForFunction(() => document.querySelectorAll('#figures .metric-figure')[1]?.textContent === '3');
  page.assertSilent();
  await page.context().close();
});

test('a deep link shows the same on the server and in the browser', async () => {
  const day = new Date(Date.now() - 40 * DAY_MS).toISOString().slice(0, 10);
  const address = `${server.url}/?from=${day}&to=${day}&model=sonnet&compare=1`;
  const html = await (await fetch(address)).text();
  assert.match(html, /\$0\.0105/);
  const page = await openPage(browser);
  await page.goto(address);
  const before = await figures(page);
  await hydrated(page);
  assert.deepEqual(await figures(page), before);
  assert.equal(before[1], '1');
  page.assertSilent();
  await page.context().close();
});

test('an unclear address says which part is unclear', async () => {
  const response = await fetch(`${server.url}/?range=fortnight`);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /range/);
});

test('comparison shows the period before', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.getByRole('switch', { name: 'Compare' }).click();
  await page.locator('.metric-before').first().waitFor();
  assert.equal(new URL(page.url()).searchParams.get('compare'), '1');
  // Forty days ago there was one call.
  assert.match(await page.locator('.metric-before').nth(1).textContent(), /^1 before/);
  page.assertSilent();
  await page.context().close();
});

test('every chart is drawn, and says in words and as a table what it shows', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  for (const chart of ['usage-over-time', 'usage-by-model', 'cost-by-model', 'heat-map']) {
    const figure = page.locator(`#${chart} figure, figure#${chart}-chart`).first();
    await figure.locator('svg path, canvas').first().waitFor({ state: 'attached' });
    assert.ok((await figure.locator('table tbody tr').count()) > 0, chart);
    assert.ok((await page.locator(`#${chart} .chart-summary`).first().textContent()).length > 10, chart);
  }
  page.assertSilent();
  await page.context().close();
});

test('without JavaScript the figures, the ranges and the filter are there', async () => {
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${server.url}/`);
  assert.deepEqual((await figures(page)).slice(0, 2), ['$0.021', '2']);
  await page.getByRole('group', { name: 'Period' }).getByRole('link', { name: 'Year' }).click();
  assert.equal((await figures(page))[1], '3');
  await page.context().close();
});

test('an unknown model is counted and never free', async () => {
  await postUsage(server.url, call('unknown', 0, { model: 'acme-llm-9' }));
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  assert.match(await page.locator('#figures .metric-remark').first().textContent(), /one call unpriced/);
  assert.match(await page.locator('#models tr', { hasText: 'acme-llm-9' }).textContent(), /unpriced/);
  page.assertSilent();
  await page.context().close();
});

test('hostile names stay text', async () => {
  const model = '</title></script><img src=x onerror=alert(1)>';
  const answer = await postUsage(server.url, call('hostile', 0, { model, agentSlug: model, toolsUsed: [model] }));
  assert.ok([200, 201].includes(answer.status), JSON.stringify(answer.body));
  const page = await openPage(browser);
  page.on('dialog', () => assert.fail('a script ran'));
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.locator('#models', { hasText: 'onerror' }).waitFor();
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  page.assertSilent();
  await page.context().close();
});

for (const look of looks) {
  test(`${look.title}: nothing cut off, nothing sideways, axe finds nothing`, async () => {
    await server.run(['demo']);
    const page = await openPage(browser, look.options);
    await page.goto(`${server.url}/`);
    await hydrated(page);
    await page.locator('#usage-over-time svg path').first().waitFor({ state: 'attached' });
    await assertLooksRight(page, `overview-${look.file}`);
    page.assertSilent();
    await page.context().close();
  });
}

test('the layout does not shift while the page comes alive', async () => {
  const page = await openPage(browser);
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.waitForTimeout(800);
  assert.ok((await page.evaluate(() => window.shift)) < 0.001);
  await page.context().close();
});

test('sample data is marked, and goes without a trace', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await page.getByText('Sample data.').waitFor();
  await page.getByText(/Token spike|High cost/).first().waitFor();
  await server.run(['demo', '--remove']);
  await page.goto(`${server.url}/`);
  assert.equal(await page.getByText('Sample data.').count(), 0);
  assert.equal((await getReport(server.url, 'range=year')).summary.totalCalls, 5);
  assert.match(await server.run(['doctor']), /.+/);
  await page.context().close();
});
