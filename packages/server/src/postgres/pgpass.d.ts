/** Looks a password up as libpq does: in the file that PGPASSFILE names, or `~/.pgpass`. */
declare module 'pgpass' {
  export default function pgpass(
    connection: { readonly host: string; readonly port: number; readonly user: string; readonly database: string },
    found: (password: string | undefined) => void,
  ): void;
}
