// Who gets in, in a real browser: the owner's password, the login and where it leads, an invited person, logging out.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, hydrated, keepScreenshot, looks, openPage, postUsage, startBrowser, startServer } from '../harness.mjs';

const PASSWORD = 'four plain words together';

let server, browser;
before(async () => {
  server = await startServer();
  await postUsage(server.url, { id: 'one', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 1_000_000 } });
  await server.run(['users', 'set-password'], `${PASSWORD}\n${PASSWORD}\n`);
  // A running server learns of it within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function logIn(page, login, password) {
  await page.getByLabel('Name').fill(login);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

test('a page leads to the login and from there back, and logging out ends it', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/budgets`);
  await page.waitForURL(/\/login\?next=/);
  await logIn(page, 'owner', PASSWORD);
  await page.waitForURL(/\/budgets$/);
  await hydrated(page);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  assert.equal(await page.locator('#figures .metric-figure').first().textContent(), '$3.00');
  await page.locator('.live-on').waitFor();
  page.assertSilent();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(/\/login$/);
  await page.goto(`${server.url}/keys`);
  await page.waitForURL(/\/login\?next=/);
  await page.context().close();
});

test('programs need a key from then on', async () => {
  assert.equal((await fetch(`${server.url}/api/analytics/tokens`)).status, 401);
  const key = (await server.run(['keys', 'create', '--name', 'reports', '--scope', 'read'])).trim().split('\n').at(-1);
  const answer = await fetch(`${server.url}/api/analytics/tokens`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
});

test('an invited person sees only what is theirs', async () => {
  const link = (await server.run(['users', 'invite', '--role', 'member'])).match(/\/join\?token=\S+/)[0];
  const page = await openPage(browser);
  await page.goto(`${server.url}${link}`);
  await keepScreenshot(page, 'join');
  await page.getByLabel('Name').fill('ann');
  for (const field of await page.locator('input[type=password]').all()) await field.fill('another four plain words');
  await page.locator('form button').first().click();
  await page.waitForURL(`${server.url}/`);
  await hydrated(page);
  await page.getByText('Nothing is recorded yet').waitFor();
  await page.goto(`${server.url}/settings`);
  await hydrated(page);
  assert.equal(await page.getByText('Invite').count(), 0, 'a member invites nobody');
  page.assertSilent();
  await page.context().close();
});

for (const look of looks) {
  test(`/login and /settings at ${look.title}: nothing sideways, axe finds nothing`, async () => {
    const page = await openPage(browser, look.options);
    await page.goto(`${server.url}/login?next=/settings`);
    await assertLooksRight(page, `login-${look.file}`);
    await logIn(page, 'owner', PASSWORD);
    await page.waitForURL(/\/settings$/);
    await hydrated(page);
    await page.getByText('ann', { exact: false }).first().waitFor();
    await assertLooksRight(page, `settings-people-${look.file}`);
    page.assertSilent();
    await page.context().close();
  });
}
