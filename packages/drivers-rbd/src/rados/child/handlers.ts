import type { Args, CallName, Result } from '../calls.ts';
import type { Creation } from './creation.ts';
import { listImages, listTrash, sizesOf } from './directory.ts';
import {
  copyImage,
  flattenImage,
  listChildren,
  listLocks,
  listWatchers,
  resizeImage,
  statImage,
  updateFeatures,
  usageOf,
} from './images.ts';
import { getMetadata, listMetadata, removeMetadata, setMetadata } from './metadata.ts';
import type { Progress } from './native.ts';
import { notifyWatchers } from './notice.ts';
import type { OpenImages } from './open-images.ts';
import { createNamespace, initPool, listNamespaces, removeNamespace, statPool } from './places.ts';
import { moveToTrash, removeFromTrash, removeImage, restoreFromTrash } from './removal.ts';
import { forgetRenaming, listRenamings, renameImage, takeName, versionOfName } from './renaming.ts';
import type { Session } from './session.ts';
import { settlePool } from './settling.ts';
import { createSnapshot, listSnapshots, removeSnapshot, rollBack } from './snapshots.ts';
import { cloneGrown, putAway, sizeOf } from './unopened.ts';

interface Connected {
  readonly session: Session;
  readonly images: OpenImages;
  readonly creation: Creation;
}

/** Does a call. A function that is missing in this release is a `MissingFunction`, what librbd refuses a `NativeFailure`. */
type Handlers = { readonly [N in CallName]: (connected: Connected, args: Args<N>, progress: Progress) => Promise<Result<N>> };

const of =
  <A, R>(handle: (session: Session, args: A, progress: Progress) => Promise<R>) =>
  ({ session }: Connected, args: A, progress: Progress): Promise<R> =>
    handle(session, args, progress);

export const HANDLERS: Handlers = {
  'cluster.info': ({ session }) => session.info(),
  'cluster.catchUp': async ({ session }) => {
    await session.catchUp();
    return null;
  },
  'mon.command': ({ session }, { command, input }) => session.monCommand(command, input),
  'pool.init': of(initPool),
  'pool.settle': of(settlePool),
  'pool.stat': of(statPool),
  'namespace.create': of(createNamespace),
  'namespace.remove': of(removeNamespace),
  'namespace.list': of(listNamespaces),
  'image.create': ({ creation }, args) => creation.create(args),
  'image.clone': of(cloneGrown),
  'image.list': of(listImages),
  'image.sizes': of(sizesOf),
  'image.size': of(sizeOf),
  'image.stat': of(statImage),
  'image.resize': of(resizeImage),
  'image.rename': of(renameImage),
  'image.nameVersion': of(versionOfName),
  'image.unname': of(takeName),
  'renaming.list': of(listRenamings),
  'renaming.forget': of(forgetRenaming),
  'image.remove': of(removeImage),
  'image.flatten': of(flattenImage),
  'image.copy': of(copyImage),
  'image.watchers': of(listWatchers),
  'image.notify': of(notifyWatchers),
  'image.usage': of(usageOf),
  'image.locks': of(listLocks),
  'image.children': of(listChildren),
  'image.features': of(updateFeatures),
  'metadata.get': of(getMetadata),
  'metadata.set': of(setMetadata),
  'metadata.remove': of(removeMetadata),
  'metadata.list': of(listMetadata),
  'snapshot.create': of(createSnapshot),
  'snapshot.remove': of(removeSnapshot),
  'snapshot.list': of(listSnapshots),
  'snapshot.rollback': of(rollBack),
  'trash.move': of(moveToTrash),
  'trash.putAway': of(putAway),
  'trash.list': of(listTrash),
  'trash.restore': of(restoreFromTrash),
  'trash.remove': of(removeFromTrash),
  'open.read': ({ images }, args) => images.read(args),
  'open.write': ({ images }, args) => images.write(args),
  'open.discard': ({ images }, args) => images.discard(args),
  'open.zero': ({ images }, args) => images.zero(args),
  'open.flush': ({ images }, args) => images.flush(args),
  'open.stat': ({ images }, args) => images.stat(args),
  'open.diff': ({ images }, args) => images.diff(args),
  'open.close': ({ images }, args) => images.close(args),
};
