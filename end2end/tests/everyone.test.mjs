// Whose figures an admin looks at, in a real browser: the choice, what stays of it in links, live figures, and erasing somebody.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { hydrated, keepScreenshot, openPage, startBrowser, startServer } from '../harness.mjs';

const PASSWORD = 'four plain words together';
const OF_ANN = 'another four plain words';

let server, browser, keyOfAnn;
before(async () => {
  server = await startServer();
  await report(null, { id: 'of-owner', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 1_000_000 } });
  await server.run(['users', 'set-password'], `${PASSWORD}\n${PASSWORD}\n`);
  // A running server learns of it within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  browser = await startBrowser();
  const link = (await server.run(['users', 'invite', '--role', 'member'])).match(/\/join\?token=\S+/)[0];
  const page = await openPage(browser);
  await page.goto(`${server.url}${link}`);
  await page.getByLabel('Name').fill('ann');
  for (const field of await page.locator('input[type=password]').all()) await field.fill(OF_ANN);
  await page.locator('form button').first().click();
  await page.waitForURL(`${server.url}/`);
  await page.goto(`${server.url}/keys`);
  await hydrated(page);
  await page.getByLabel('Name').fill('laptop');
  await page.locator('input[type=checkbox][value=ingest]').check();
  await page.getByRole('button', { name: 'Make key' }).click();
  keyOfAnn = await page.locator('#new-key-text').textContent();
  await page.context().close();
  await report(keyOfAnn, { id: 'of-ann', model: 'claude-opus-4-20250514', usage: { input_tokens: 1_000_000 } });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function report(key, call) {
  const headers = { 'content-type': 'application/json', ...(key && { 'x-tollbridge-key': key }) };
  const answer = await fetch(`${server.url}/api/analytics/usage`, { method: 'POST', headers, body: JSON.stringify(call) });
  assert.equal(answer.status, 201, await answer.text());
}

async function logIn(page, path = '/') {
  await page.goto(`${server.url}/login?next=${encodeURIComponent(path)}`);
  await page.getByLabel('Name').fill('owner');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL(`${server.url}${path}`);
}

const cost = (page) => page.locator('#figures .metric-figure').first();
const chooser = (page) => page.getByRole('combobox', { name: 'Whose usage' });

async function shows(page, text) {
  await page.waitForFunction((text) => document.querySelector('#figures .metric-figure')?.textContent === text, text);
}

test('the choice changes the figures, and links, back and live updates keep to it', async () => {
  const page = await openPage(browser);
  await logIn(page);
  await hydrated(page);
  assert.equal(await cost(page).textContent(), '$3.00');
  await chooser(page).selectOption('Everyone');
  await page.waitForURL(/\?user=everyone$/);
  await shows(page, '$18.00');
  await page.locator('.headline').getByText('everyone').waitFor();
  await page.getByRole('link', { name: 'Week', exact: true }).click();
  await page.waitForURL(/range=week&user=everyone/);
  await shows(page, '$18.00');
  await page.getByRole('link', { name: 'Calls', exact: true }).click();
  await page.waitForURL(/user=everyone&sort=calls/);
  await page.locator('.live-on').waitFor();
  await report(keyOfAnn, { id: 'more-of-ann', model: 'claude-opus-4-20250514', usage: { input_tokens: 1_000_000 } });
  await shows(page, '$33.00');
  await chooser(page).selectOption('ann');
  await shows(page, '$30.00');
  await page.locator('.headline').getByText('ann').waitFor();
  await page.goBack();
  await shows(page, '$33.00');
  assert.equal(await chooser(page).inputValue(), 'everyone');
  await chooser(page).selectOption('My usage');
  await shows(page, '$3.00');
  page.assertSilent();
  await page.context().close();
});

test('without scripts a button sends the choice', async () => {
  const page = await openPage(browser, { javaScriptEnabled: false });
  await logIn(page, '/?range=week');
  await chooser(page).selectOption('Everyone');
  await page.getByRole('button', { name: 'Show' }).first().click();
  await page.waitForURL(/range=week.*user=everyone/);
  assert.equal(await cost(page).textContent(), '$33.00');
  await page.context().close();
});

const axe = await readFile(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

for (const width of [1280, 375]) {
  test(`everyone's figures at ${width} px: nothing sideways, axe finds nothing`, async () => {
    const page = await openPage(browser, { viewport: { width, height: 800 }, bypassCSP: true });
    await logIn(page, '/?user=everyone');
    await hydrated(page);
    await chooser(page).waitFor();
    await page.waitForTimeout(500);
    await keepScreenshot(page, `everyone-${width}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(', ')}`), []);
    page.assertSilent();
    await page.context().close();
  });
}

test('who is erased is gone from the list and from the figures', async () => {
  const page = await openPage(browser);
  await logIn(page, '/settings');
  await hydrated(page);
  await page.getByLabel('Erase ann').click();
  await page.getByRole('button', { name: 'Erase', exact: true }).click();
  await page.getByLabel('Erase ann').waitFor({ state: 'detached' });
  await page.goto(`${server.url}/?user=everyone`);
  await hydrated(page);
  await shows(page, '$3.00');
  assert.equal(await chooser(page).count(), 0, 'nobody else is left to choose');
  page.assertSilent();
  await page.context().close();
});
