// A disk that takes nothing more, in a real browser: an open Overview says so by itself, leads to what waits, and the Settings
// follow until all is written again.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, hydrated, looks, openPage, startBrowser, startProvider, startServer } from '../harness.mjs';

let provider, server, browser;
before(async () => {
  provider = await startProvider({ input_tokens: 1_000, output_tokens: 1_000 });
  server = await startServer({ TOLLBRIDGE_GATEWAY__UPSTREAM_URL: provider.url });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.stop();
});

async function call() {
  const response = await fetch(`${server.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'sk-ant-x' },
    body: JSON.stringify({ model: 'claude-sonnet-4-20250514', max_tokens: 64, messages: [{ role: 'user', content: 'Hi' }] }),
  });
  assert.equal(response.status, 200);
  await response.json();
}

const strip = (page) => page.locator('section[aria-label="Recording"]');
const figure = (page, name) => page.locator('#recording dl > div', { has: page.getByText(name, { exact: true }) });

test('while all is well nothing is told in red', async () => {
  await call();
  const page = await openPage(browser);
  await page.goto(`${server.url}/settings`);
  await hydrated(page);
  // A call that met a slow disk may have been written late.
  await page.locator('#recording .pill', { hasText: /Fine|Written late/ }).waitFor();
  await figure(page, 'Spool').getByText('can be written').waitFor();
  assert.match(await figure(page, 'Lost').textContent(), /^Lostnone$/);
  await page.goto(`${server.url}/`);
  await page.locator('#figures').waitFor();
  assert.equal(await strip(page).locator('.level-critical').count(), 0);
  page.assertSilent();
  await page.context().close();
});

test('an open Overview tells of calls that were written late, and leads to what waits until it is written', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.locator('.live-on').waitFor();
  server.fillDisk();
  for (let calls = 0; calls < 3; calls += 1) await call();
  await strip(page).getByText(/sent before being on disk, the last one at \d\d:\d\d/).waitFor({ timeout: 15_000 });
  assert.equal(await strip(page).locator('.notice.level-warning').count(), 1);
  assert.equal(await strip(page).locator('.level-critical').count(), 0, 'nothing is lost');

  await strip(page).getByRole('link', { name: 'See how recording goes' }).click();
  await page.waitForURL(`${server.url}/settings#recording`);
  await page.locator('#recording .pill.level-critical', { hasText: 'Kept in memory' }).waitFor();
  await figure(page, 'Waiting').getByText('3 calls', { exact: true }).waitFor();
  await figure(page, 'Written late').getByText(/^\d+ calls$/).waitFor();
  await figure(page, 'Spool').getByText('cannot be written: calls wait in memory').waitFor();
  await figure(page, 'Last error').getByText('the spool cannot be written').waitFor();
  assert.ok(await page.locator('#recording').evaluate((card) => card.getBoundingClientRect().top < window.innerHeight), 'in sight');

  await call();
  await figure(page, 'Waiting').getByText('4 calls', { exact: true }).waitFor({ timeout: 15_000 });
  server.freeDisk();
  await figure(page, 'Waiting').getByText('none', { exact: true }).waitFor({ timeout: 15_000 });
  await figure(page, 'Spool').getByText('can be written').waitFor();
  await figure(page, 'Last error').getByText('the spool cannot be written').waitFor();
  page.assertSilent();
  await page.context().close();
});

test('without JavaScript both pages say the same', async () => {
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${server.url}/`);
  await strip(page).getByText(/calls were sent before being on disk/).waitFor();
  await strip(page).getByRole('link', { name: 'See how recording goes' }).click();
  await page.waitForURL(`${server.url}/settings#recording`);
  await figure(page, 'Written late').getByText(/^\d+ calls$/).waitFor();
  await page.context().close();
});

test('at every size and in both themes nothing is sideways and axe finds nothing while calls wait', async () => {
  server.fillDisk();
  await call();
  for (const look of looks) {
    const page = await openPage(browser, look.options);
    for (const [path, name] of [['/', 'recording-strip'], ['/settings', 'recording']]) {
      await page.goto(`${server.url}${path}`);
      await hydrated(page);
      await page.getByText('sent before being on disk').first().waitFor();
      await assertLooksRight(page, `${name}-${look.file}`);
    }
    page.assertSilent();
    await page.context().close();
  }
  server.freeDisk();
});
