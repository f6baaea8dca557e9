import { type CallOptions, everyRow, type OpenVswitch, type OvsdbClient, OvsdbError, openVswitch } from '../ovsdb/index.ts';

const { Port, QoS, Queue } = openVswitch.tables;
type Ids = Readonly<Record<string, string | undefined>>;

/** Machines of the cloud have ids of version 7; those that libvirt makes for others are of version 4. */
const OF_THE_CLOUD = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * Takes away the queues of machines that are off. Where a machine is bounded in what it receives libvirt gives its port one, which is a row of QoS and one of Queue with the machine and the
 * port noted in them (`vm-id`, `ifname`), and leaves them when the machine goes off. When the machine has a port of that name again it takes these for its own, and the port has no bound.
 * What a port uses stays, as does what is of a name that a port has, and whatever is not noted so.
 */
export async function clearLeftQueues(client: Pick<OvsdbClient<OpenVswitch>, 'transact'>, options: CallOptions): Promise<void> {
  const [ports, qos, queues] = await client.transact(
    [Port.select(everyRow, ['name', 'qos']), QoS.select(everyRow, ['queues', 'external_ids']), Queue.select(everyRow, ['external_ids'])],
    options,
  );
  const names = new Set(ports.map(({ name }) => name));
  const used = new Set<string | undefined>(ports.map((port) => port.qos));
  const isLeft = ({ 'vm-id': machine = '', ifname }: Ids) => OF_THE_CLOUD.test(machine) && ifname !== undefined && !names.has(ifname);
  const left = qos.filter(({ _uuid, external_ids }) => isLeft(external_ids) && !used.has(_uuid));
  const filled = new Set(qos.filter((row) => !left.includes(row)).flatMap((row) => Object.values(row.queues)));
  const emptied = queues.filter(({ _uuid, external_ids }) => isLeft(external_ids) && !filled.has(_uuid));
  if (left.length + emptied.length === 0) return;
  const gone = [...new Set([...left, ...emptied].map(({ external_ids }) => external_ids.ifname ?? ''))];
  await client
    .transact(
      [
        ...gone.map((name) => Port.wait([['name', '==', name]], { until: '==', columns: ['name'], rows: [] })),
        ...left.map(({ _uuid }) => QoS.delete(_uuid)),
        ...emptied.map(({ _uuid }) => Queue.delete(_uuid)),
      ],
      options,
    )
    .catch((error: unknown) => {
      // A machine is being started meanwhile: what is left then goes the next time.
      if (!(error instanceof OvsdbError && (error.code === 'wait_failed' || error.code === 'broken_reference'))) throw error;
    });
}
