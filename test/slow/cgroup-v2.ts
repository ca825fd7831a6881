/**
 * Tests on a kernel that has cgroup v2 alone, in a machine of its own (qemu, without KVM): where the memory controller is in v1, as on many a
 * build machine, what the log says of a kill for memory is else tested on made-up files only. Not in the fast suite: it boots. Run it with
 *
 *     npm run build && node dist/test/slow/cgroup-v2.js KERNEL [test file…]
 *
 * KERNEL is a vmlinuz of x86-64 that needs no module for what is used here, as Debian's cloud kernel:
 * `apt-get download linux-image-6.1.0-57-cloud-amd64 && dpkg -x linux-image-*.deb k`, then k/boot/vmlinuz-*. Takes five minutes; exit code 0
 * when all tests pass, or when something is missing, which it says.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../helpers/drover.js';

const DEADLINE_MS = 30 * 60_000;
const TOOLS = ['qemu-system-x86_64', 'busybox', 'cpio'];
/** In the machine: where the repository is, and what the init says when the tests have ended. */
const PLACE = '/drover';
const ENDED = 'tests ended with exit code';

const [kernel, ...files] = process.argv.slice(2);
const tests = files.length === 0 ? ['test/e2e/deaths-explained.test.ts'] : files;

const missing = TOOLS.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')}`);
else if (kernel === undefined || !existsSync(kernel)) console.log(`skipped: ${kernel === undefined ? 'no kernel given' : `no kernel ${kernel}`}`);
else process.exitCode = await inMachine(kernel);

async function inMachine(vmlinuz: string): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'drover-machine-'));
  try {
    furnish(join(dir, 'root'));
    execFileSync('sh', ['-c', 'cd "$0/root" && find . | cpio --create --format=newc --quiet > "$0/initramfs"', dir]);
    return await boot(vmlinuz, join(dir, 'initramfs'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Everything is in the initramfs: no disk, no driver for one. */
function furnish(root: string): void {
  for (const path of ['bin', 'proc', 'sys', 'dev', 'tmp', 'etc']) mkdirSync(join(root, path), { recursive: true });
  const programs = { node: process.execPath, busybox: execFileSync('sh', ['-c', 'readlink -f "$(command -v busybox)"'], { encoding: 'utf8' }).trim() };
  for (const [name, path] of Object.entries(programs)) {
    cpSync(path, join(root, 'bin', name));
    // Where the loader looks for them; a static program has none.
    const libraries = spawnSync('ldd', [path], { encoding: 'utf8' }).stdout.match(/\/\S+/g) ?? [];
    for (const library of libraries.filter((word) => existsSync(word) && word !== path)) {
      mkdirSync(join(root, dirname(library)), { recursive: true });
      cpSync(library, join(root, library), { dereference: true });
    }
  }
  for (const name of ['sh', 'mount', 'umount', 'mkdir', 'cat', 'ip', 'unshare', 'poweroff']) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  for (const path of ['package.json', 'build/Release/drover.node', 'dist', 'test', 'examples', 'node_modules']) {
    cpSync(join(ROOT, path), join(root, PLACE, path), { recursive: true, verbatimSymlinks: true, filter: (source) => !/\.(map|d\.ts|ts\.snap)$|\/node_modules\/(typescript|@types|rollup|@rollup|eslint|node-gyp)$/.test(source) });
  }
  writeFileSync(
    join(root, 'init'),
    `#!/bin/sh
export PATH=/bin HOME=/tmp CI=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
cd ${PLACE}
cat /proc/version
node node_modules/ava/entrypoints/cli.mjs --timeout=10m ${tests.map((file) => `'${file}'`).join(' ')} < /dev/null
echo "${ENDED} $?"
poweroff -f
`,
  );
  chmodSync(join(root, 'init'), 0o755);
}

/** The exit code of the tests; 1 when the machine has ended without one. */
async function boot(vmlinuz: string, initramfs: string): Promise<number> {
  const args = ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '3072', '-net', 'none', '-nographic', '-no-reboot'];
  const append = 'console=ttyS0 loglevel=1 panic=-1 mitigations=off cgroup_no_v1=all';
  const machine = spawn('qemu-system-x86_64', [...args, '-kernel', vmlinuz, '-initrd', initramfs, '-append', append], { stdio: ['ignore', 'pipe', 'inherit'], timeout: DEADLINE_MS });
  let text = '';
  machine.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    process.stdout.write(piece);
  });
  await once(machine, 'close');
  return Number(new RegExp(`${ENDED} (\\d+)`).exec(text)?.[1] ?? 1);
}
