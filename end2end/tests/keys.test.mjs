// A key's life: made and shown once, used by a client, seen in use, revoked, refused.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { hydrated, openPage, startBrowser, startProvider, startServer } from '../harness.mjs';

let provider, server, browser;
before(async () => {
  provider = await startProvider({ input_tokens: 10, output_tokens: 2 });
  server = await startServer({ TOLLBRIDGE_GATEWAY__UPSTREAM_URL: provider.url });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.stop();
});

function send(key) {
  return fetch(`${server.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'sk-ant-test', 'x-tollbridge-key': key },
    body: JSON.stringify({ model: 'claude-opus-5', max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] }),
  });
}

test('a key is made, shown once, used, seen in use, revoked and refused', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/keys`);
  await hydrated(page);
  await page.getByText('No key works yet').waitFor();
  await page.getByLabel('Name').fill('laptop');
  await page.getByRole('button', { name: 'Make key' }).click();
  const key = await page.locator('#new-key-text').textContent();
  assert.match(key, /^tb_[0-9A-Za-z]{49}$/);
  await page.locator('#keys .key-item', { hasText: 'laptop' }).getByText('never used').waitFor();

  assert.equal((await send(key)).status, 200);
  await page.waitForTimeout(300);
  await page.goto(`${server.url}/keys`);
  await hydrated(page);
  assert.ok(!(await page.content()).includes(key), 'it is not shown again');
  await page.locator('#keys .key-item').getByText('last used').waitFor();

  await page.locator('#keys summary', { hasText: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Revoke it' }).click();
  await page.getByText('one revoked key').waitFor();
  await page.waitForTimeout(1_000);
  assert.equal((await send(key)).status, 401);
  page.assertSilent();
  await page.context().close();
});
