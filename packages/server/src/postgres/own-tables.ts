import { quote } from './table.ts';

/** What the store keeps for itself. Names of callers' tables begin with a letter, so these cannot clash. */
export class OwnTables {
  readonly schema: string;
  /** One row: the version that each group of transactions goes on from, the newest revision, and who may write. */
  readonly state: string;
  readonly counter: string;
  readonly feed: string;
  readonly table: string;
  readonly migration: string;
  /** Where followers of the feed are woken. */
  readonly channel: string;

  constructor(schema: string) {
    const own = (name: string) => `${quote(schema)}._${name}`;
    this.schema = schema;
    this.state = own('state');
    this.counter = own('counter');
    this.feed = own('feed');
    this.table = own('table');
    this.migration = own('migration');
    this.channel = `pileus_${schema}`;
  }

  /** `_table.key`: a `Key` as JSON. `_table.filling`: rows up to this key have all columns; NULL: all rows have. `_migration.cursor`: the last row that it changed. */
  get createSql(): readonly string[] {
    return [
      `CREATE TABLE ${this.state} ("only" boolean PRIMARY KEY DEFAULT true CHECK ("only"), incarnation text NOT NULL, home text NOT NULL,
        epoch bigint NOT NULL, version bigint NOT NULL, revision bigint NOT NULL, trimmed bigint NOT NULL)`,
      `CREATE TABLE ${this.counter} (key text COLLATE "C" PRIMARY KEY, value bigint NOT NULL, "limit" bigint) WITH (fillfactor = 70)`,
      `CREATE TABLE ${this.feed} (revision bigint, ordinal integer, "table" text NOT NULL, key text NOT NULL, type smallint NOT NULL,
        "projectId" text, row text NOT NULL, PRIMARY KEY (revision, ordinal))`,
      `CREATE TABLE ${this.table} (name text COLLATE "C" PRIMARY KEY, type text NOT NULL, key text NOT NULL, filling text)`,
      `CREATE TABLE ${this.migration} (plugin text COLLATE "C", number integer, cursor text, done boolean NOT NULL, PRIMARY KEY (plugin, number))`,
    ];
  }
}
