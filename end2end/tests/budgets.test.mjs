// Several budgets in a real browser: made, seen at once, changed, wrong in one field, deleted; and all of it without scripts.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertLooksRight, hydrated, looks, openPage, postUsage, startBrowser, startServer } from '../harness.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
  // $12 for the website, $3 for everything else.
  await postUsage(server.url, [
    { id: 'website', model: 'claude-sonnet-4-20250514', project: 'website', usage: { input_tokens: 4_000_000 } },
    { id: 'other', model: 'claude-sonnet-4-20250514', usage: { input_tokens: 1_000_000 } },
  ]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function listed() {
  return (await (await fetch(`${server.url}/api/analytics/budgets`)).json()).budgets;
}

async function fill(page, { name, limit, project }) {
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Spend limit').fill(limit);
  await page.getByLabel('Counts').selectOption('project');
  await page.getByLabel('Project').fill(project);
}

test('a budget is made, seen where it stands, changed, raised and deleted', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/budgets`);
  await hydrated(page);
  await page.getByRole('link', { name: 'Add a budget' }).click();
  const form = page.locator('#budget-edit');
  await form.waitFor();
  await fill(page, { name: 'Website', limit: '1e3', project: 'website' });
  await form.getByLabel('In each').selectOption('week');
  await form.getByRole('button', { name: 'Add budget' }).click();
  const limit = form.getByLabel('Spend limit');
  assert.equal(await limit.getAttribute('aria-invalid'), 'true');
  await limit.fill('10');
  assert.equal(await form.getByLabel('Name', { exact: true }).inputValue(), 'Website', 'what was typed is kept');
  await form.getByLabel('Model').fill('sonnet');
  await form.getByLabel('Refuse calls').check();
  await form.getByRole('button', { name: 'Add budget' }).click();

  const item = page.locator('.budget-item', { hasText: 'Website' });
  await item.getByText('Refuses calls', { exact: true }).waitFor();
  await item.getByText('Project website, sonnet only').waitFor();
  await item.getByText('$12.00').first().waitFor();
  assert.equal(await form.count(), 0, 'the form gives way to the list');
  await item.locator('summary', { hasText: 'Would have fired on one day' }).click();
  await item.getByText(/50 %, 75 % and 90 % crossed, \$12\.00 of \$10\.00 spent in the week/).waitFor();
  const [, made] = await listed();
  assert.deepEqual([made.scopeId, made.period, made.limitCents, made.atLimit], ['website', 'week', 1000, 'block']);

  await item.getByRole('link', { name: 'Change Website' }).click();
  await form.getByLabel('Raised limit').fill('40');
  const today = new Date().toISOString().slice(0, 10);
  await form.getByLabel('Last day').fill(`${Number(today.slice(0, 4)) + 1}${today.slice(4)}`);
  await form.getByRole('button', { name: 'Save changes' }).click();
  await item.getByText(/Raised until the end of .* then \$10\.00 again\./).waitFor();
  await item.getByText('of $40.00').waitFor();
  assert.equal((await listed())[1].status.isOverBudget, false);

  await item.locator('summary', { hasText: 'Delete' }).click();
  await item.getByRole('button', { name: 'Delete it' }).click();
  await page.getByText('None yet.').waitFor();
  assert.equal((await listed()).length, 1);
  page.assertSilent();
  await page.context().close();
});

test('a budget is made, changed and deleted without JavaScript', async () => {
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${server.url}/budgets`);
  await page.getByRole('link', { name: 'Add a budget' }).click();
  await page.waitForLoadState();
  await fill(page, { name: 'Plain', limit: '10', project: '' });
  await page.getByRole('button', { name: 'Add budget' }).click();
  await page.waitForLoadState();
  const project = page.locator('#budget-edit').getByLabel('Project');
  assert.equal(await project.getAttribute('aria-invalid'), 'true', 'a project has to be named');
  await project.fill('website');
  await page.locator('#budget-edit').getByLabel('Model').fill('acme-llm-9');
  await page.getByRole('button', { name: 'Add budget' }).click();
  await page.waitForLoadState();
  await page.getByText('Is in no price card and in no recorded call').waitFor();
  assert.equal(await page.getByLabel('Spend limit').inputValue(), '10', 'what was typed is kept');
  await page.locator('#budget-edit').getByLabel('Model').fill('');
  await page.getByRole('button', { name: 'Add budget' }).click();
  await page.waitForLoadState();
  await page.locator('.budget-item', { hasText: 'Plain' }).getByRole('link', { name: 'Change Plain' }).click();
  await page.waitForLoadState();
  await page.getByLabel('Spend limit').fill('12.50');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.waitForLoadState();
  assert.equal((await listed())[1].limitCents, 1250);
  await page.locator('.budget-item summary', { hasText: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete it' }).click();
  await page.waitForLoadState();
  assert.equal((await listed()).length, 1);
  await page.context().close();
});

for (const look of looks) {
  test(`budgets and their form at ${look.title}: nothing sideways, axe finds nothing`, async () => {
    const made = [
      { name: 'Website', scope: 'project', scopeId: 'website', period: 'week', limitCents: 1000, atLimit: 'block' },
      { name: 'Everything, each day', period: 'day', limitCents: 5000, thresholds: [10, 25, 50, 75] },
      { name: 'Opus of a project with a rather long name', scope: 'project', scopeId: 'a-project-with-a-long-name-of-its-own',
        model: 'opus', limitCents: 123456, raise: { limitCents: 200000, until: Date.now() + 86_400_000 * 9 } },
    ];
    const ids = [];
    for (const body of made) {
      const answer = await fetch(`${server.url}/api/analytics/budgets`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
      });
      assert.equal(answer.status, 201);
      ids.push((await answer.json()).id);
    }
    const page = await openPage(browser, look.options);
    await page.goto(`${server.url}/budgets?edit=${ids[2]}`);
    await hydrated(page);
    await page.locator('.budget-item details.hindsight summary').first().click();
    await assertLooksRight(page, `more-budgets-${look.file}`);
    page.assertSilent();
    await page.context().close();
    for (const id of ids) {
      await fetch(`${server.url}/api/analytics/budgets/${id}`, { method: 'DELETE' });
    }
  });
}
