// The audit log in a real browser: what was done stands there, filters are a plain form, and a member is turned away.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, hydrated, looks, openPage, startBrowser, startServer } from '../harness.mjs';

const PASSWORD = 'four plain words together';

let server, browser;
before(async () => {
  server = await startServer();
  await server.run(['keys', 'create', '--name', 'a laptop with a long name, for a look at how that wraps', '--scope', 'read']);
  await server.run(['users', 'set-password'], `${PASSWORD}\n${PASSWORD}\n`);
  // A running server learns of it within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function logIn(page, password) {
  await page.getByLabel('Name').fill('owner');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

test('a failed login and the next one are in the log, and the form narrows it down, without scripts too', async () => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await openPage(browser, { javaScriptEnabled });
    await page.goto(`${server.url}/login?next=/settings`);
    await logIn(page, 'not these words at all');
    await page.getByText('The name or the password is wrong.').waitFor();
    await logIn(page, PASSWORD);
    await page.waitForURL(/\/settings$/);
    if (javaScriptEnabled) await hydrated(page);
    await page.getByRole('link', { name: 'Audit log' }).click();
    await page.waitForURL(/\/settings\/audit$/);
    const actions = page.locator('.audit-table tbody th');
    await actions.first().waitFor();
    assert.deepEqual((await actions.allTextContents()).slice(0, 2), ['Login', 'Login failed']);
    assert.match(await page.locator('.audit-table tbody tr').first().textContent(), /owner.*127\.0\.0\.1/);
    await page.getByLabel('About').selectOption('keys');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForURL(/group=keys/);
    await page.getByText('a laptop with a long name').waitFor();
    assert.deepEqual(await actions.allTextContents(), ['Key created']);
    assert.equal(await page.getByLabel('About').inputValue(), 'keys');
    await page.context().close();
  }
});

for (const look of looks) {
  test(`/settings/audit at ${look.title}: nothing sideways, axe finds nothing`, async () => {
    const page = await openPage(browser, look.options);
    await page.goto(`${server.url}/login?next=/settings/audit`);
    await logIn(page, PASSWORD);
    await page.waitForURL(/\/settings\/audit$/);
    await hydrated(page);
    await page.locator('.audit-table tbody th').first().waitFor();
    await assertLooksRight(page, `audit-${look.file}`);
    page.assertSilent();
    await page.context().close();
  });
}
