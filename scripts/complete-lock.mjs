// Adds to package-lock.json the optional packages of other platforms that a registry mirror did not have when the lock was written.
// npm ci refuses a lock without them. The version is the one their parent asks for; os, cpu and libc are read off the name, as
// these packages are named; there is no integrity, so such a package is checked by version only. Run it after npm install.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64'];

for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key]) continue;
    const os = systems.find((each) => name.includes(`-${each}`));
    const cpu = processors.find((each) => name.includes(`-${each}`));
    if (!os || !cpu || !/^\d/.test(version))
      throw new Error(`${name}@${version}: not a platform's package; install it`);
    const libc = os === 'linux' ? { libc: [name.includes('musl') ? 'musl' : 'glibc'] } : {};
    lock.packages[key] = { version, cpu: [cpu], ...(parent.dev && { dev: true }), ...libc, optional: true, os: [os] };
  }
}
// In the order in which npm writes them.
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
