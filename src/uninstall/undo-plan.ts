import { restorePlacement } from '../domain-xml/restore-placement.js';
import { refusalsOf } from '../located-error.js';

/** A domain of libvirt, as far as taking our edits back asks for it. */
export interface EditedDomain {
  name: string;
  uuid: string;
  running: boolean;
  /** A memory image of its guest waits for the next start. */
  managedSave: boolean;
  /** The document of the next start, with its secrets; absent for a domain that is gone once it stops. */
  xml?: string;
}

/** What the service knows of a domain's past; undefined where it does not know the domain, or does not answer. */
export interface KnownPast {
  state: 'new' | 'has-run' | 'unknown';
  /** Functions that it ran with where an edit of ours had put them. */
  ranRestricted: readonly string[];
}

/**
 * - `untouched`: it carries no edits of ours
 * - `undo`: `xml` is to be defined
 * - `keep`: it stays as it is, and why. With `forceable` `--force` undoes it all the same: then the guest finds its
 *   devices elsewhere, which is why somebody has to decide that.
 */
export type UndoPlan = { domain: string } & (
  | { action: 'untouched' }
  | { action: 'undo'; xml: string; steps: string[] }
  | { action: 'keep'; reason: string; forceable: boolean }
);

/** Plans for one domain. A guest that has seen its devices where we put them keeps them there unless forced. */
export function planUndo(domain: EditedDomain, past: KnownPast | undefined, force: boolean): UndoPlan {
  const { name, xml } = domain;
  if (xml === undefined) return { domain: name, action: 'untouched' };
  const restoration = restoreOrSay(xml);
  if (restoration.outcome === 'untouched') return { domain: name, action: 'untouched' };
  if (restoration.outcome === 'kept') {
    return { domain: name, action: 'keep', reason: restoration.reason, forceable: false };
  }
  const ran = restoration.guestSees ? whyTheGuestMayKnow(domain, past, restoration.devices) : undefined;
  if (ran !== undefined && !force) return { domain: name, action: 'keep', reason: ran, forceable: true };
  return { domain: name, action: 'undo', xml: restoration.xml, steps: restoration.steps };
}

function restoreOrSay(xml: string): ReturnType<typeof restorePlacement> {
  try {
    return restorePlacement(xml);
  } catch (error) {
    const [refusal] = refusalsOf(error) ?? [];
    if (!refusal) throw error;
    return { outcome: 'kept', reason: `its document cannot be read: ${refusal.place}: ${refusal.problem}` };
  }
}

/** Why the guest may have seen its devices where we put them; undefined where it is known that it has not. */
function whyTheGuestMayKnow(
  { running, managedSave }: EditedDomain,
  past: KnownPast | undefined,
  moved: readonly string[],
): string | undefined {
  if (running) return 'it runs with its devices where we put them';
  if (managedSave) return 'its saved memory expects its devices where we put them';
  if (!past) return 'it may have run with its devices where we put them: the service does not say';
  if (moved.some((device) => past.ranRestricted.includes(device))) {
    return 'it has run with its devices where we put them';
  }
  return past.state === 'unknown'
    ? 'it is not known whether it has run since we moved its devices'
    : undefined;
}
