import { type TObject, Type } from 'typebox';
import type { Action } from '../action.ts';
import type { JsonObject } from '../json.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Statement } from '../store.ts';
import { assertRequired, assertValues, policiesOf, type TagPolicy } from './policy.ts';
import { assertKeys, newTag, type TagPorts, type TagValues, tagProject, tagValues } from './tag.ts';

type Made = RowBase & JsonObject;

/** One for all actions: making a schema takes longer than most of what a start does for one. */
const tags = Type.Optional(tagValues('Tags that it has from the beginning.'));

/** The action with the tags that what it makes has from the beginning, as the policies of the project want them. */
export function withTags(action: Action, ports: Pick<TagPorts, 'taggable'>): Action {
  const properties = action.input.properties as TObject['properties'];
  if (action.verb !== 'create' || action.target !== 'collection' || ports.taggable(action.kind.name) === undefined) return action;
  if ('tags' in properties) return action;
  return {
    ...action,
    input: Type.Object({ ...properties, tags }) as TObject,
    accept: async (request) => {
      const { tags: given = {}, ...input } = request.input as { readonly tags?: TagValues };
      assertKeys(Object.keys(given), '/tags');
      const acceptance = await action.accept({ ...request, input });
      const made = madeBy(acceptance.statements);
      const root = made.find(({ kind, row }) => kind === action.kind.name && row.id === request.id)?.row;
      if (root === undefined) return acceptance;
      const projectId = tagProject(root, request.principal);
      const policies = await policiesOf(request.reader, projectId);
      assertRequired(policies, action.kind, given);
      assertValues(policies, action.kind, given);
      const tagged = (kind: string, row: Made, values: TagValues) =>
        Object.entries(values).map(([key, value]) =>
          newTag(request.mint('tag'), { projectId, resourceKind: kind, resourceId: row.id }, key, value),
        );
      const copies = made.flatMap(({ kind, row }) => {
        const owned = ports.taggable(kind);
        if (owned === undefined || !goesWith(owned, row, root.id)) return [];
        return tagged(kind, row, copied(policies, action.kind, kind, given));
      });
      return { ...acceptance, statements: [...acceptance.statements, ...tagged(action.kind.name, root, given), ...copies] };
    },
  };
}

const madeBy = (statements: readonly Statement[]): readonly { readonly kind: string; readonly row: Made }[] =>
  statements.flatMap((statement) => (statement.op === 'insert' ? [{ kind: statement.table, row: statement.row as Made }] : []));

const goesWith = (kind: AnyKind, row: Made, ownerId: string): boolean =>
  kind.refs.some(
    ({ field, onDelete, ownedIf }) =>
      row[field] === ownerId && (onDelete === 'cascade' || (ownedIf !== undefined && row[ownedIf] === true)),
  );

function copied(policies: readonly TagPolicy[], from: AnyKind, to: string, tags: TagValues): TagValues {
  const keys = policies.filter(({ kinds, copyTo = [] }) => kinds.includes(from.name) && copyTo.includes(to)).map(({ key }) => key);
  return Object.fromEntries(keys.flatMap((key) => (tags[key] === undefined ? [] : [[key, tags[key]]])));
}
