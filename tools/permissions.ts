/**
 * Permissions that a command does not need are given back, at once and before
 * any byte that somebody else wrote is read: what a flaw in the rest of the
 * program could be made to do, the runtime then refuses.
 *
 * @module
 */

/** Flags that name a program. */
const FLAGS_THAT_RUN = ["--extpass", "--new-extpass", "--detach"];

/** Commands that run a program: openssl. */
const COMMANDS_THAT_RUN = ["cert"];

/**
 * Gives back the permission to start programs, unless the command or a flag in
 * `args`, the whole command line, asks for one.
 */
export function giveBackRun(args: readonly string[]): void {
  if (COMMANDS_THAT_RUN.includes(args[0])) return;
  const names = args.map((arg) => arg.split("=", 1)[0]);
  if (FLAGS_THAT_RUN.some((flag) => names.includes(flag))) return;
  // `serve -d`, which may stand together with other letters.
  if (args[0] === "serve" && args.some((arg) => /^-[a-z]*d/.test(arg))) return;
  Deno.permissions.revokeSync({ name: "run" });
}

/**
 * Gives back what only secrets are read with, once they have been: to start
 * programs, and to look at the environment.
 */
export function giveBackSecretPlaces(): void {
  Deno.permissions.revokeSync({ name: "run" });
  Deno.permissions.revokeSync({ name: "env" });
}
