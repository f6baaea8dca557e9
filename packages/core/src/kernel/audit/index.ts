export { toldOf, toldOfCall } from './disclosure.ts';
export { auditPlugin } from './endpoints.ts';
export { AUDIT_TABLE, type AuditCall, type AuditEnd, type AuditRow, auditStatement, type Told } from './record.ts';
export { Sealer } from './sealer.ts';
export { type NotLetIn, notLetIn, RefusedSignIns } from './sign-ins.ts';
