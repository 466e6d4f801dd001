import { describe, expect, test } from 'vitest';
import { createCookieJar } from '../../src/probe-types/http-cookies.ts';

const at = (host: string) => ({ isTls: true, host, path: '/' });

/** What one host sets, as another one of the same run sees it. */
function seen(given: { readonly home: string; readonly from: string; readonly domain: string; readonly to: string }) {
  const jar = createCookieJar(given.home, () => undefined);
  jar.store(at(given.from), [`a=1; Domain=${given.domain}`], 0);
  expect(jar.cookiesFor(at(given.from))).toBe('a=1');
  return jar.cookiesFor(at(given.to));
}

describe('a cookie of a domain', () => {
  test.each([
    ['bank.co.uk', 'evil.co.uk', 'co.uk', 'bank.co.uk'],
    ['bank.com.au', 'evil.com.au', '.com.au', 'bank.com.au'],
    ['bank.example', 'a.evil.test', 'evil.test', 'b.evil.test'],
  ])('of the probe of %s, set by %s for %s, is not sent to %s', (home, from, domain, to) => {
    expect(seen({ home, from, domain, to })).toBeUndefined();
  });

  test.each([
    ['www.shop.example', 'www.shop.example', 'shop.example', 'shop.example'],
    ['www.shop.example', 'login.shop.example', 'shop.example', 'www.shop.example'],
    ['Shop.example', 'a.b.shop.example', 'b.shop.example', 'c.b.shop.example'],
    ['www.shop.co.uk', 'login.shop.co.uk', 'shop.co.uk', 'www.shop.co.uk'],
    ['www.shop.de', 'login.shop.de', 'shop.de', 'www.shop.de'],
  ])('of the probe of %s, set by %s for %s, is sent to %s', (home, from, domain, to) => {
    expect(seen({ home, from, domain, to })).toBe('a=1');
  });
});
