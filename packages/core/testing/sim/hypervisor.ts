import { sleep } from '../../src/kernel/environment.ts';
import type { ByteStream, Call, DiskSpec, HypervisorDriver, HypervisorFactory, NicSpec } from '../../src/strategy/index.ts';
import type { HypervisorFeature } from '../conformance/hypervisor.ts';
import { diskBackupOf } from './disk-backup.ts';
import { SimError } from './fault.ts';
import type { SimHost } from './host.ts';
import type { DriverEnvironment } from './link.ts';
import { SimLink } from './link.ts';
import type { SimMachine } from './machine.ts';
import { hostnameOf } from './uri.ts';
import type { SimWorld } from './world.ts';

/** A driver object's way to one host's machines. */
class HostLink {
  readonly link: SimLink;
  readonly #world: SimWorld;
  readonly #hostname: string;

  constructor(world: SimWorld, environment: DriverEnvironment, hostname: string) {
    this.#world = world;
    this.#hostname = hostname;
    this.link = new SimLink(world, () => world.hosts.get(hostname)?.site, environment);
  }

  ask<T>(command: string, call: Call, apply: (host: SimHost) => T): Promise<T> {
    return this.link.ask({ command, call, apply: () => apply(this.#world.host(this.#hostname)) });
  }

  onMachine<T>(command: string, id: string, call: Call, apply: (machine: SimMachine, host: SimHost) => T): Promise<T> {
    return this.ask(command, call, (host) => apply(host.machine(id), host));
  }

  watch(hint: (machineId: string | undefined) => void): () => void {
    const heard = (machineId: string | undefined) => {
      if (this.link.open) hint(machineId);
    };
    return this.#world.hosts.get(this.#hostname)?.watch(heard) ?? (() => undefined);
  }
}

function powerOf(on: HostLink): HypervisorDriver['power'] {
  const verb = (name: string, act: (machine: SimMachine) => void) => (id: string, call: Call) =>
    on.onMachine(`power.${name}`, id, call, (machine) => act(machine));
  return {
    start: verb('start', (machine) => machine.start()),
    shutdown: verb('shutdown', (machine) => machine.shutdown()),
    powerOff: (id, call) => on.ask('power.powerOff', call, (host) => host.machines.get(id)?.stop()),
    suspend: verb('suspend', (machine) => machine.suspend()),
    resume: verb('resume', (machine) => machine.resume()),
    reboot: verb('reboot', (machine) => machine.reboot()),
    reset: verb('reset', (machine) => machine.reset()),
  };
}

function hotplugOf(on: HostLink): NonNullable<HypervisorDriver['hotplug']> {
  const without = <T>(items: readonly T[], is: (item: T) => boolean) => items.filter((item) => !is(item));
  return {
    attachDisk: (id, disk, call) =>
      on.onMachine('hotplug.attachDisk', id, call, (machine, host) => {
        const is = (each: DiskSpec) => each.volumeId === disk.volumeId;
        if (machine.spec.disks.some(is)) {
          if (machine.lost.has(disk.volumeId)) host.useDisk(machine, disk);
          machine.lost.delete(disk.volumeId);
          return;
        }
        if (machine.spec.disks.some((each) => each.slot === disk.slot)) throw new SimError('conflict', `slot ${disk.slot} is taken`);
        if (machine.live) host.useDisk(machine, disk);
        machine.spec = { ...machine.spec, disks: [...machine.spec.disks, disk] };
        host.hint(id);
      }),
    detachDisk: (id, volumeId, call) =>
      on.onMachine('hotplug.detachDisk', id, call, (machine, host) => {
        const disk = machine.spec.disks.find((each) => each.volumeId === volumeId);
        if (disk === undefined) return;
        if (host.diskCopies.has(id, volumeId)) throw new SimError('conflict', `the disk ${volumeId} is being copied`);
        host.diskBackups.lose(id, volumeId);
        host.dropDisk(machine, disk);
        machine.lost.delete(volumeId);
        machine.spec = { ...machine.spec, disks: without(machine.spec.disks, (each) => each === disk) };
        host.hint(id);
      }),
    attachNic: (id, nic, call) =>
      on.onMachine('hotplug.attachNic', id, call, (machine, host) => {
        const is = (each: NicSpec) => each.nicId === nic.nicId;
        if (machine.spec.nics.some(is)) {
          if (machine.lost.has(nic.nicId)) host.usePlug(nic);
          machine.lost.delete(nic.nicId);
          return;
        }
        if (machine.spec.nics.some((each) => each.slot === nic.slot)) throw new SimError('conflict', `slot ${nic.slot} is taken`);
        if (machine.live) host.usePlug(nic);
        machine.spec = { ...machine.spec, nics: [...machine.spec.nics, nic] };
        host.hint(id);
      }),
    detachNic: (id, nicId, call) =>
      on.onMachine('hotplug.detachNic', id, call, (machine, host) => {
        machine.lost.delete(nicId);
        machine.spec = { ...machine.spec, nics: without(machine.spec.nics, (each) => each.nicId === nicId) };
        host.hint(id);
      }),
  };
}

function driveOf(on: HostLink): NonNullable<HypervisorDriver['drive']> {
  return {
    insert: (id, iso, call) => on.onMachine('drive.insert', id, call, (machine, host) => host.changeIso(machine, iso)),
    eject: (id, forced, call) =>
      on.onMachine('drive.eject', id, call, (machine, host) => {
        if (machine.spec.iso === undefined) return;
        if (machine.trayLocked && !forced) throw new SimError('conflict', 'the guest has locked the tray');
        machine.trayLocked = false;
        host.changeIso(machine, undefined);
      }),
  };
}

function resizeOf(on: HostLink, offers: (feature: HypervisorFeature) => boolean): NonNullable<HypervisorDriver['resize']> {
  const within = (value: number, max: number) => {
    if (value > max) throw new SimError('invalid', `${value} is more than the machine's maximum of ${max}`);
  };
  return {
    setVcpus: (id, vcpus, call) =>
      on.onMachine('resize.setVcpus', id, call, (machine) => {
        within(vcpus, machine.spec.vcpusMax);
        machine.spec = { ...machine.spec, vcpus };
      }),
    setMemory: (id, memoryBytes, call) =>
      on.onMachine('resize.setMemory', id, call, (machine) => {
        within(memoryBytes, machine.spec.memoryBytesMax);
        machine.spec = { ...machine.spec, memoryBytes };
      }),
    ...(offers('growDisk') && {
      growDisk: (id: string, volumeId: string, sizeBytes: number, call: Call) =>
        on.onMachine('resize.growDisk', id, call, (machine, host) => host.growDisk(machine, volumeId, sizeBytes)),
    }),
  };
}

function secretsOf(on: HostLink): NonNullable<HypervisorDriver['secrets']> {
  return {
    put: (ref, value, call) => on.ask('secrets.put', call, (host) => void host.secrets.set(ref, value)),
    delete: (ref, call) => on.ask('secrets.delete', call, (host) => void host.secrets.delete(ref)),
  };
}

function limitsOf(on: HostLink, offers: (feature: HypervisorFeature) => boolean): NonNullable<HypervisorDriver['limits']> {
  /** The items with one limited anew, a limit of 0 being none; `not_found` if it is not among them. */
  const limited = <T extends { readonly limits?: object }>(items: readonly T[], is: (item: T) => boolean, limits: object): T[] => {
    if (!items.some(is)) throw new SimError('not_found', 'the machine has no such part');
    const inForce = Object.entries(limits).filter(([, limit]) => limit !== 0);
    const relimit = ({ limits: _, ...rest }: T) => (inForce.length === 0 ? rest : { ...rest, limits: Object.fromEntries(inForce) }) as T;
    return items.map((item) => (is(item) ? relimit(item) : item));
  };
  return {
    ...(offers('cpuShares') && {
      setCpuShares: (id: string, cpuShares: number, call: Call) =>
        on.onMachine('limits.setCpuShares', id, call, (machine) => {
          machine.spec = { ...machine.spec, cpuShares };
        }),
    }),
    ...(offers('diskLimits') && {
      setDiskLimits: (id: string, volumeId: string, limits: NonNullable<DiskSpec['limits']>, call: Call) =>
        on.onMachine('limits.setDiskLimits', id, call, (machine) => {
          const disks = limited(machine.spec.disks, (disk) => disk.volumeId === volumeId, limits);
          machine.spec = { ...machine.spec, disks };
        }),
    }),
    ...(offers('nicLimits') && {
      setNicLimits: (id: string, nicId: string, limits: NonNullable<NicSpec['limits']>, call: Call) =>
        on.onMachine('limits.setNicLimits', id, call, (machine) => {
          const nics = limited(machine.spec.nics, (nic) => nic.nicId === nicId, limits);
          machine.spec = { ...machine.spec, nics };
        }),
    }),
  };
}

function consolesOf(on: HostLink, offers: (feature: HypervisorFeature) => boolean): NonNullable<HypervisorDriver['consoles']> {
  const opening = (command: string, greeting: string, echo: boolean) => (id: string, call: Call) =>
    on.onMachine(command, id, call, (machine) => consoleStream(machine, on.link, greeting, echo));
  return {
    ...(offers('serial') && { serial: opening('consoles.serial', '', true) }),
    ...(offers('vnc') && { vnc: opening('consoles.vnc', 'RFB 003.008\n', false) }),
  };
}

/** Bytes of the guest both ways until either side closes, the machine stops, or the driver's owner is gone. */
function consoleStream(machine: SimMachine, link: SimLink, greeting: string, serial: boolean): ByteStream {
  let [endReading, endWriting] = [() => {}, () => {}];
  const end = () => {
    keyboard.leave();
    endReading();
    endWriting();
    endReading = endWriting = () => {};
  };
  let show: (text: Uint8Array) => void = () => {};
  const keyboard = machine.listen((text) => {
    if (!link.open) return;
    if (text === undefined) end();
    else if (serial) show(text);
  });
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      show = (text) => controller.enqueue(text.slice());
      endReading = () => controller.close();
      if (greeting !== '') show(new TextEncoder().encode(greeting));
    },
    cancel() {
      endReading = () => {};
      end();
    },
  });
  const writable = new WritableStream<Uint8Array>({
    start(controller) {
      endWriting = () => controller.error(new SimError('conflict', 'the console has ended'));
    },
    write(text) {
      if (link.open && serial) keyboard.type(text);
    },
    close() {
      endWriting = () => {};
      end();
    },
    abort: () => end(),
  });
  return { readable, writable };
}

/** One call after the other, within the time of one. */
function bounded(call: Call, clock: DriverEnvironment['clock']): () => Call {
  const untilMs = clock.monotonicMs() + call.timeoutMs;
  return () => ({ ...call, timeoutMs: Math.min(ANSWER_MS, Math.max(1, untilMs - clock.monotonicMs())) });
}

/** Two hosts settle a transfer among themselves: who asks for one looks whether it has ended. */
function migrationOf(
  on: HostLink,
  timers: DriverEnvironment['timers'],
  clock: DriverEnvironment['clock'],
): NonNullable<HypervisorDriver['migration']> {
  const pause = (call: Call) =>
    sleep(timers, LOOK_MS, call.signal).catch(() => {
      throw new SimError('unknown_outcome', 'it was given up, and goes on');
    });
  return {
    async send(id, target, call) {
      const left = bounded(call, clock);
      await on.ask('migration.send', left(), (host) => host.send(id, hostnameOf(target)));
      for (let looks = 1; ; looks += 1) {
        await pause(call);
        const seen = await on.ask('migration.look', left(), (host) => ({
          isUnderWay: host.sending.has(id),
          isHere: host.machines.has(id),
        }));
        if (!seen.isUnderWay && seen.isHere) throw new SimError('unavailable', `machine ${id} has not come to ${hostnameOf(target)}`);
        if (!seen.isHere) return;
        call.onProgress?.(1 - 1 / (1 + looks));
      }
    },
    // What was held here by a frozen host lands in any order: one that begins after a look has to be met by the next.
    async cancel(id, call) {
      const left = bounded(call, clock);
      for (let quietLooks = 0; quietLooks < QUIET_LOOKS; await pause(call)) {
        const isUnderWay = await on.ask('migration.cancel', left(), (host) => {
          host.sending.get(id)?.cancel();
          return host.sending.has(id);
        });
        quietLooks = isUnderWay ? 0 : quietLooks + 1;
      }
    },
  };
}

/** A copy goes on under its machine: who asked for one looks how far it is. */
function diskCopyOf(
  on: HostLink,
  timers: DriverEnvironment['timers'],
  clock: DriverEnvironment['clock'],
): NonNullable<HypervisorDriver['diskCopy']> {
  const pause = (call: Call) =>
    sleep(timers, LOOK_MS, call.signal).catch(() => {
      throw new SimError('unknown_outcome', 'it was given up, and goes on');
    });
  return {
    async copy(id, volumeId, to, _limit, call) {
      const left = bounded(call, clock);
      await on.onMachine('diskCopy.copy', id, left(), (machine, host) => host.diskCopies.begin(machine, volumeId, to));
      for (let looks = 1; ; looks += 1) {
        const state = await on.ask('diskCopy.look', left(), (host) => host.diskCopies.look(host.machines.get(id), volumeId, to));
        if (state === 'both' || state === 'there') return;
        if (state !== 'copying') throw new SimError('unavailable', `the copy of disk ${volumeId} has broken off`);
        call.onProgress?.(1 - 1 / (1 + looks));
        await pause(call);
      }
    },
    look: (id, volumeId, to, call) => on.ask('diskCopy.look', call, (host) => host.diskCopies.look(host.machines.get(id), volumeId, to)),
    async pivot(id, volumeId, to, call) {
      const left = bounded(call, clock);
      const ask = () => on.onMachine('diskCopy.pivot', id, left(), (machine, host) => host.diskCopies.pivot(machine, volumeId, to));
      while (!(await ask())) await pause(call);
    },
    changeSeed: (id, seed, call) =>
      on.onMachine('diskCopy.changeSeed', id, call, (machine) => {
        if (!machine.live) throw new SimError('conflict', 'the machine does not run');
        if (machine.spec.seed !== undefined) machine.spec = { ...machine.spec, seed };
      }),
    // What was held by a frozen host lands in any order: one that begins after a look has to be met by the next.
    async cancel(id, volumeId, call) {
      const left = bounded(call, clock);
      for (let looks = 0; looks < QUIET_LOOKS; looks += 1) {
        await on.ask('diskCopy.cancel', left(), (host) => host.diskCopies.end(id, volumeId));
        await pause(call);
      }
    },
  };
}

/** A host that says nothing for so long is taken for lost. */
const ANSWER_MS = 25_000;
const LOOK_MS = 10;
const QUIET_LOOKS = 3;

/** The simulated hypervisor; `without` takes optional features away, to meet typed refusals. */
export function simulatedHypervisor(world: SimWorld, environment: DriverEnvironment, without: readonly string[]): HypervisorFactory {
  return {
    name: 'simulated',
    open(endpoint) {
      const hostname = hostnameOf(endpoint);
      const on = new HostLink(world, environment, hostname);
      const lacks = world.hosts.get(hostname)?.lacks;
      const offers = (feature: HypervisorFeature) => !without.includes(feature) && lacks?.has(feature) !== true;
      const any = (...features: HypervisorFeature[]) => features.some(offers);
      return {
        inventory: (call) => on.ask('inventory', call, (host) => host.inventory),
        machines: {
          define: (spec, call) => on.ask('machines.define', call, (host) => host.define(spec)),
          inspect: (id, call) => on.ask('machines.inspect', call, (host) => host.machines.get(id)?.observe()),
          list: (call) => on.ask('machines.list', call, (host) => [...host.machines.values()].map((machine) => machine.observe())),
          remove: (id, call) => on.ask('machines.remove', call, (host) => host.remove(id)),
        },
        power: powerOf(on),
        ...(offers('hotplug') && { hotplug: hotplugOf(on) }),
        ...(offers('drive') && { drive: driveOf(on) }),
        ...(offers('resize') && { resize: resizeOf(on, offers) }),
        ...(offers('secrets') && { secrets: secretsOf(on) }),
        ...(offers('quiesce') && {
          quiesce: {
            freeze: (id: string, call: Call) => on.onMachine('quiesce.freeze', id, call, (machine) => machine.freeze()),
            thaw: (id: string, call: Call) => on.ask('quiesce.thaw', call, (host) => host.machines.get(id)?.thaw() === true),
          },
        }),
        ...(offers('usage') && { usage: { read: (call: Call) => on.ask('usage.read', call, (host) => host.usage()) } }),
        ...(offers('diskBackup') && { diskBackup: diskBackupOf(on, environment.timers, (call) => bounded(call, environment.clock)) }),
        ...(offers('diskCopy') && { diskCopy: diskCopyOf(on, environment.timers, environment.clock) }),
        ...(offers('migration') && { migration: migrationOf(on, environment.timers, environment.clock) }),
        ...(any('cpuShares', 'diskLimits', 'nicLimits') && { limits: limitsOf(on, offers) }),
        ...(any('serial', 'vnc') && { consoles: consolesOf(on, offers) }),
        ...(offers('watch') && { watch: (hint: (machineId: string | undefined) => void) => on.watch(hint) }),
        classify: (error) => SimError.classify(error),
        close: async () => on.link.close(),
      };
    },
  };
}
