/** Writes the pages of docs/reference that tell what the plugins of the cloud declare. */
import { output, outputs } from './outputs.ts';
import { actionsPage } from './reference/actions.ts';
import { cascadePage } from './reference/cascade.ts';
import { hooksPage } from './reference/hooks.ts';
import { kindPage } from './reference/kinds.ts';
import { kindPages } from './reference/pages.ts';
import { readme } from './reference/readme.ts';
import { refusalsPage } from './reference/refusals.ts';
import { sagasPage } from './reference/sagas.ts';
import { settingsPage } from './reference/settings.ts';
import { tagsPage } from './reference/tags.ts';
import { wholeCloud } from './whole-cloud.ts';

const registry = wholeCloud();
await output('docs/reference/README.md', readme(registry));
await outputs('docs/reference/kinds', new Map(kindPages(registry).map((each) => [`${each.plugin}.md`, kindPage(registry, each)])));
await output('docs/reference/actions.md', actionsPage(registry));
await output('docs/reference/cascade.md', cascadePage(registry));
await output('docs/reference/sagas.md', sagasPage(registry));
await output('docs/reference/refusals.md', await refusalsPage());
await output('docs/reference/tags.md', tagsPage(registry));
await output('docs/reference/settings.md', settingsPage(registry));
await output('docs/reference/hooks.md', await hooksPage(registry));
