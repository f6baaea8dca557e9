import { expect } from 'chai';
import { CloudError, describeChain, ERROR_CODES, isCloudError, problemResponse, toErrorRecord, toProblem } from '../../src/kernel/index.ts';

describe('errors', () => {
  it('keep what is internal out of what callers see', () => {
    const error = new CloudError('unavailable', 'The host cannot be reached.', { detail: 'hv1:16514', cause: new Error('ECONNREFUSED') });
    expect(error.message).to.equal('The host cannot be reached.: hv1:16514');
    expect(JSON.stringify(toErrorRecord(error))).to.equal('{"code":"unavailable","message":"The host cannot be reached."}');
    expect(describeChain(error)).to.equal('CloudError: The host cannot be reached.: hv1:16514 <- Error: ECONNREFUSED');
  });

  it('show what was not foreseen as internal, without its text', () => {
    const record = toErrorRecord(new TypeError('secret is not a function'));
    expect(record.code).to.equal('internal');
    expect(JSON.stringify(record)).not.to.include('secret');
  });

  it('carry pointer and params', () => {
    const error = new CloudError('invalid_input', 'Too small.', { pointer: '/sizeBytes', params: { minimum: 1 } });
    expect(toProblem(toErrorRecord(error))).to.deep.equal({
      type: 'urn:pileus:error:invalid_input',
      title: 'Invalid input',
      status: 400,
      detail: 'Too small.',
      retry: 'never',
      code: 'invalid_input',
      pointer: '/sizeBytes',
      params: { minimum: 1 },
    });
  });

  it('have a short name for each code, whatever went wrong this time', () => {
    const titles = Object.values(ERROR_CODES).map(({ title }) => title);
    expect(new Set(titles).size).to.equal(titles.length);
    for (const title of titles) expect(title).to.match(/^[A-Z][A-Za-z -]{2,28}$/);
    for (const message of ['Host hv1 is out of reach.', 'It is stopping.'])
      expect(toProblem({ code: 'unavailable', message }))
        .to.include({ title: 'Unavailable', detail: message })
        .and.not.have.property('message');
  });

  it('are known across copies of the package', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('@pileus/core/CloudError')]: true });
    expect(isCloudError(foreign)).to.equal(true);
    expect(isCloudError(new Error('x'))).to.equal(false);
    expect(isCloudError(undefined)).to.equal(false);
  });

  it('only ask for the same request again where that can help', () => {
    for (const [code, { http, retry }] of Object.entries(ERROR_CODES))
      if (retry === 'same_request') expect([429, 503, 504], code).to.include(http);
      else expect(http, code).to.be.oneOf([400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 416, 422, 428, 500]);
  });

  it('stop at the depth of a chain that bites its tail', () => {
    const error: Error & { cause?: unknown } = new Error('loop');
    error.cause = error;
    expect(describeChain(error).split(' <- ')).to.have.length(8);
  });

  it('of our own go to the log with their causes, and not to who asked', () => {
    const said: object[] = [];
    const log = (fields: object) => void said.push(fields);
    const fault = new CloudError('internal', 'The host failed.', { cause: new Error('No such file') });
    const { body } = problemResponse(fault, 'r1', 'consoles.connect', { debug: log, info: log, warn: log, error: log });
    expect(said).to.deep.equal([
      { requestId: 'r1', route: 'consoles.connect', error: 'CloudError: The host failed. <- Error: No such file' },
    ]);
    expect(body).to.include('The host failed.').and.not.include('No such file');
    problemResponse(new CloudError('not_found', 'There is none.'), 'r2', 'instances.get', { debug: log, info: log, warn: log, error: log });
    expect(said, 'of what who asked got wrong').to.have.length(1);
  });
});
