export { Api, type ApiOptions } from './api.ts';
export { type Cursor, Cursors } from './feed-cursor.ts';
export { filterFields } from './fields.ts';
export { parseFilter, parseRowFilter, parseRule } from './filter.ts';
export { lookUp } from './lookup.ts';
export { openapi } from './openapi.ts';
export { problemResponse, unauthenticated } from './problem.ts';
export { type ApiRequest, type ApiResponse, bytesBody, isStreamed, jsonBody, type RequestBody } from './request.ts';
export { AUTHENTICATED, noDryRun, type Route, routesOf } from './routes.ts';
