import { type KernelServices, type Plugin, updateAction } from '@pileus/core/kernel';
import { coverage, scrapeRequired, watchedStart } from './coverage.ts';
import { fileDirectory, type TargetDirectory } from './directory.ts';
import { migrations } from './migrations.ts';
import { type Options, optionsOf, scrapePorts } from './options.ts';
import { scrapeTarget } from './target.ts';
import { createTarget } from './target-create.ts';
import { deletionOfTarget } from './target-delete.ts';
import { pauseTarget, resumeTarget } from './target-pause.ts';

export { coverage, scrapeRequired } from './coverage.ts';
export { type Entry, fileDirectory, type TargetDirectory } from './directory.ts';
export type { Options } from './options.ts';
export { type ScrapeTarget, scrapeTarget } from './target.ts';

/** The plugin over whatever directory it is given: tests have one in memory. */
export const scrapeTargets =
  (options: Options, directory: TargetDirectory = fileDirectory(options.directory)) =>
  (services: KernelServices): Plugin => {
    const context = () => ({ directory });
    return {
      id: 'scrape-targets',
      version: '2.0.0',
      kinds: [scrapeTarget],
      actions: [createTarget(context, services), updateAction(scrapeTarget, ['description']), pauseTarget(context), resumeTarget(context)],
      deletions: [deletionOfTarget(context)],
      settings: [scrapePorts],
      systemTags: [scrapeRequired],
      hooks: [watchedStart(services)],
      endpoints: [coverage(services)],
      migrations,
    };
  };

/** What the server calls with the options of its configuration. */
export default (given: unknown) => scrapeTargets(optionsOf(given));
