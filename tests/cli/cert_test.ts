import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { must, run, testWith, withTempDir } from "../support/tools.ts";
import { nextfs, ok, startServer } from "./program.ts";

const permissions = (path: string): number => Deno.statSync(path).mode! & 0o777;

/** The command lines that `nextfs cert` has printed, without `nextfs`. */
function printedCommands(output: string): string[][] {
  return [...output.matchAll(/^ {2}nextfs (.*)$/gm)].map(([, line]) =>
    line.split(" ")
  );
}

await testWith(["openssl"], "cert makes all for a start", async () => {
  await withTempDir(async (dir) => {
    const tls = `${dir}/tls`;
    const output = await ok(["cert", "--host", "Files.Example.org", tls]);
    assert.equal(permissions(tls), 0o700);
    const names = [...Deno.readDirSync(tls)].map(({ name }) => name).sort();
    assert.deepEqual(names, [
      ...["ca.key", "ca.pem", "client.key", "client.pem"],
      ...["server.key", "server.pem"],
    ]);
    for (const name of names) {
      assert.equal(permissions(`${tls}/${name}`), 0o600);
    }
    const verify = async (...args: string[]): Promise<number> =>
      (await run("openssl", "verify", "-x509_strict", "-CAfile", ...[
        ...[`${tls}/ca.pem`, ...args],
      ])).code;
    const server = ["-purpose", "sslserver", `${tls}/server.pem`];
    const client = ["-purpose", "sslclient", `${tls}/client.pem`];
    assert.equal(await verify(...server), 0);
    assert.equal(await verify(...client), 0);
    assert.equal(await verify("-purpose", "sslclient", server[2]), 2);
    assert.equal(await verify("-purpose", "sslserver", client[2]), 2);
    for (const host of ["files.example.org", "localhost"]) {
      assert.equal(await verify("-verify_hostname", host, ...server), 0);
    }
    for (const address of ["127.0.0.1", "::1"]) {
      assert.equal(await verify("-verify_ip", address, ...server), 0);
    }
    assert.equal(await verify("-verify_hostname", "other", ...server), 2);
    const key = await must("openssl", "pkey", "-in", `${tls}/client.key`, ...[
      ...["-noout", "-text"],
    ]);
    assert.match(key, /NIST CURVE: P-256/);
    assert.match(output, /^Made \S+server\.pem: .*files\.example\.org, local/m);
  });
});

await testWith(
  ["openssl"],
  "the extensions say what a key is for",
  async () => {
    await withTempDir(async (dir) => {
      await ok(["cert", "--days", "30", `${dir}/tls`]);
      const text = (name: string): Promise<string> =>
        must("openssl", "x509", "-noout", "-text", "-in", `${dir}/tls/${name}`);
      const ca = await text("ca.pem");
      assert.match(ca, /Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
      assert.match(ca, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
      for (const name of ["server.pem", "client.pem"]) {
        const end = await text(name);
        assert.match(end, /Basic Constraints: critical\s+CA:FALSE\n/);
        assert.match(end, /Key Usage: critical\s+Digital Signature\n/);
        const { validFrom, validTo } = new X509Certificate(
          await Deno.readTextFile(`${dir}/tls/${name}`),
        );
        const days = (Date.parse(validTo) - Date.parse(validFrom)) / 86_400_000;
        assert.equal(days, 30);
      }
    });
  },
);

await testWith(
  ["openssl"],
  "the commands that cert prints work as they are",
  async () => {
    await withTempDir(async (dir) => {
      await Deno.mkdir(`${dir}/tree`);
      await Deno.writeTextFile(`${dir}/tree/greeting`, "hello\n");
      await ok(["makefs", "x.img", "tree"], { cwd: dir });
      const output = await ok(["cert", "--client", "alice", "tls"], {
        cwd: dir,
      });
      const [serve, list] = printedCommands(output);
      const args = serve.slice(1).map((arg) =>
        arg.replace("0.0.0.0:7000", "localhost:0").replace("VOLUME", "x.img")
      );
      const server = await startServer(args, dir);
      try {
        const [command, ...rest] = list;
        const at = rest.indexOf("--connect");
        assert.equal(rest[at + 1], "tls:localhost:7000");
        rest.splice(at, 2);
        assert.match(await server.ok(command, ...rest), /^greeting$/m);
        // A client that is made later is let in as well.
        const later = await ok(["cert", "--client", "bob", "tls"], {
          cwd: dir,
        });
        const asBob = printedCommands(later)[1].slice(1);
        asBob.splice(asBob.indexOf("--connect"), 2);
        assert.match(await server.ok("ls", ...asBob), /^greeting$/m);
        assert.match(later, /^ {2}"subject": "CN=bob"$/m);
        // And a server's certificate is no client's.
        const wrong = asBob.map((arg) => arg.replace("bob", "server"));
        assert.equal((await server.client("ls", ...wrong)).code, 1);
      } finally {
        assert.equal((await server.stop()).code, 0);
      }
    });
  },
);

await testWith(["openssl"], "cert overwrites nothing", async () => {
  await withTempDir(async (dir) => {
    const tls = `${dir}/tls`;
    const contents = (): string[] =>
      [...Deno.readDirSync(tls)].map(({ name }) => name).sort().map((name) =>
        name + Deno.readTextFileSync(`${tls}/${name}`)
      );
    const first = await ok(["cert", "--client", "a", "--client", "b", tls]);
    const before = contents();
    const again = await ok(["cert", tls]);
    const list = (text: string): string[] => text.match(/^ {2}.*$/gm)!;
    assert.deepEqual(list(again), list(first), "it says what is there");
    for (const flags of [["--client", "a"], ["--host", "x"]]) {
      const { code, stderr } = await nextfs(["cert", ...flags, tls]);
      assert.equal(code, 1);
      assert.match(stderr, /(a|server)\.pem: It, or its key, is there already/);
    }
    // Not even what was asked for together with it is made.
    await nextfs(["cert", "--client", "c", "--client", "b", tls]);
    assert.deepEqual(contents(), before);
    await Deno.remove(`${tls}/a.pem`);
    const half = await nextfs(["cert", "--client", "a", tls]);
    assert.match(half.stderr, /remove a\.pem and a\.key\n$/);
    await Deno.remove(`${tls}/a.key`);
    await ok(["cert", "--client", "a", tls]);
    await Deno.remove(`${tls}/ca.key`);
    const { stderr } = await nextfs(["cert", "--client", "c", tls]);
    assert.match(stderr, /ca\.key: It is not there, and no certificate can/);
  });
});

await testWith(["openssl"], "cert says what it cannot do", async () => {
  await withTempDir(async (dir) => {
    const open = `${dir}/open`;
    await Deno.mkdir(open);
    await Deno.chmod(open, 0o755);
    const { code, stderr } = await nextfs(["cert", open]);
    assert.equal(code, 1);
    assert.match(stderr, /Others may look into it.*\(chmod 700\)/);
    assert.equal(stderr.split("\n").length, 2, "one line");
    assert.deepEqual([...Deno.readDirSync(open)], []);
    await Deno.writeTextFile(`${dir}/file`, "");
    const file = await nextfs(["cert", `${dir}/file`]);
    assert.match(file.stderr, /file: Is not a directory|Not a directory/);
    const without = await nextfs(["cert", `${dir}/tls`], {
      env: { PATH: dir },
    });
    assert.equal(without.code, 1);
    assert.match(
      without.stderr,
      /^nextfs cert: The openssl command is not there.*apt install openssl\)\n$/,
    );
    // What was there in vain is no hindrance.
    await ok(["cert", `${dir}/tls`]);
  });
});

Deno.test("cert refuses names that are none", async () => {
  const wrong: [string, string][] = [
    ["--host", "a b"],
    ["--host", "x,DNS:y"],
    ["--host", "-x.org"],
    ["--host", "x..org"],
    ["--host", "1.2.3"],
    ["--host", "fe80::1%eth0"],
    ["--host", `${"x".repeat(64)}.org`],
    ["--client", ""],
    ["--client", "../x"],
    ["--client", "a/b"],
    ["--client", "x\n[ca]"],
    ["--client", "ca"],
    ["--client", "server"],
    ["--client", "x".repeat(65)],
    ["--days", "0"],
    ["--days", "3651"],
  ];
  await Promise.all(wrong.map(async ([flag, value]) => {
    const { code, stderr } = await nextfs(["cert", flag + "=" + value, "/no"]);
    assert.equal(code, 2, `${flag} ${value}`);
    assert.match(stderr, new RegExp(`^nextfs cert: ${flag}: `));
  }));
});
