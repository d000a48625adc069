import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = ['', 'docs/'].flatMap((folder) =>
  readdirSync(root + folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name),
);

/** The text of a page without its code, in which brackets are no links and number signs no headings. */
const prose = (page: string) =>
  readFileSync(root + page, 'utf8')
    .replace(/^ *```[\s\S]*?^ *```/gm, '')
    .replace(/`[^`\n]*`\]/g, ']');

/** What GitHub makes of a heading: lower case, no punctuation, hyphens for spaces. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

function anchorsOf(page: string): Set<string> {
  return new Set([...prose(page).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading]) => anchor(heading.trim())));
}

function brokenLinks(page: string): string[] {
  const targets = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path, fragment] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      return !existsSync(root + file) || (fragment !== undefined && !anchorsOf(file).has(fragment));
    });
}

describe('links within the documentation', () => {
  test.each(pages)('%s: every file and heading that it links to is there', (page) => {
    expect(brokenLinks(page)).toEqual([]);
  });

  test('README.md links to every page of docs/', () => {
    const linked = new Set([...prose('README.md').matchAll(/\]\((docs\/[^)#\s]+)/g)].map(([, target]) => target));
    expect(pages.filter((page) => page.startsWith('docs/') && !linked.has(page))).toEqual([]);
  });
});
