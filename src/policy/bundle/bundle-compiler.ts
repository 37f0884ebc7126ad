import { readDocumentOfKind, type DocumentFile } from '../../documents/validated-document.js';
import { LocatedError, LocatedErrors } from '../../located-error.js';
import { ContradictionFinder } from '../../risk/contradictions.js';
import { RiskEntryDocument, RiskList } from '../../risk/risk-entry.js';
import { placeEntries, type PlacedEntry } from '../../risk/risk-list.js';
import { RiskPacker, type RiskPack } from '../../risk/risk-pack.js';
import { ExemptionDocument } from '../exemption-document.js';
import { PolicyDocument } from '../policy-document.js';
import type { PolicySet } from '../policy-set.js';
import { PolicyTestDocument, type PolicyTestSpec } from '../testing/policy-test-document.js';
import { PolicyCollector } from './policy-collector.js';

/** Every kind of document that a bundle may hold. */
export const DOCUMENT_KINDS = {
  Policy: PolicyDocument,
  RiskList,
  RiskEntry: RiskEntryDocument,
  Exemption: ExemptionDocument,
  PolicyTest: PolicyTestDocument,
} as const;

/** A test with where it stands. */
export interface PlacedTest {
  name: string;
  /** As messages name it. */
  file: string;
  /** Below the bundle's root. */
  path: string;
  spec: PolicyTestSpec;
}

/** What the documents of a bundle come to. */
export interface CompiledBundle {
  policy: PolicySet;
  risks: RiskPack;
  tests: readonly PlacedTest[];
  /** What is no mistake by itself, but hardly meant. */
  warnings: readonly LocatedError[];
}

/** A document with its path below the bundle's root. */
export interface BundleDocument extends DocumentFile {
  path: string;
}

/** Makes policies and a risk database of documents that are given one after the other, and lets go of each. */
export class BundleCompiler {
  private readonly policies = new PolicyCollector();
  private readonly packer = new RiskPacker();
  private readonly contradictions = new ContradictionFinder();
  private readonly ownRisks = new Set<string>();
  private readonly tests: PlacedTest[] = [];
  private readonly testNames = new Map<string, string>();
  private readonly problems: LocatedError[] = [];

  /** Adds a document of the bundle; the order of policies is the order of their rules. */
  add(document: BundleDocument): void {
    const read = readDocumentOfKind<{
      Policy: PolicyDocument;
      RiskList: RiskList;
      RiskEntry: RiskEntryDocument;
      Exemption: ExemptionDocument;
      PolicyTest: PolicyTestDocument;
    }>(document, DOCUMENT_KINDS);
    this.problems.push(...read.problems);
    if (read.kind === undefined || !read.value) return;
    switch (read.kind) {
      case 'Policy':
        this.problems.push(...this.policies.addPolicy(read.value, document.file, read.placeOf));
        break;
      case 'Exemption':
        this.problems.push(...this.policies.addExemption(read.value, document.file, read.placeOf));
        break;
      case 'RiskList':
        this.addRisks(placeEntries(read.value.entries, ['entries'], read.placeOf), true);
        break;
      case 'RiskEntry':
        this.addRisks(placeEntries([read.value.spec], undefined, read.placeOf), true);
        break;
      case 'PolicyTest':
        this.addTest(read.value, document, read.placeOf(['metadata', 'name']));
        break;
    }
  }

  /**
   * Adds risk entries that the bundle builds upon; one whose id the bundle has, too, is replaced by the bundle's. Comes after
   * all documents of the bundle.
   */
  addBaseRisks(document: DocumentFile): void {
    const read = readDocumentOfKind<{ RiskList: RiskList; RiskEntry: RiskEntryDocument }>(document, {
      RiskList,
      RiskEntry: RiskEntryDocument,
    });
    this.problems.push(...read.problems);
    if (read.kind === undefined || !read.value) return;
    const placed =
      read.kind === 'RiskList'
        ? placeEntries(read.value.entries, ['entries'], read.placeOf)
        : placeEntries([read.value.spec], undefined, read.placeOf);
    this.addRisks(placed, false);
  }

  /** @throws LocatedErrors, all that were found */
  finish(): CompiledBundle {
    const { policy, problems, warnings } = this.policies.finish();
    const all = [...this.problems, ...problems];
    if (all.length > 0) throw new LocatedErrors(all);
    return { policy, risks: this.packer.pack(), tests: this.tests, warnings };
  }

  private addRisks(
    { entries, problems }: { entries: PlacedEntry[]; problems: LocatedError[] },
    own: boolean,
  ) {
    this.problems.push(...problems);
    if (problems.length > 0) return;
    for (const placed of entries) {
      const { id } = placed.entry;
      if (own) this.ownRisks.add(id);
      else if (this.ownRisks.has(id)) continue;
      this.problems.push(...this.contradictions.add(placed));
      this.packer.add(placed.entry);
    }
  }

  private addTest({ metadata, spec }: PolicyTestDocument, { file, path }: BundleDocument, place: string) {
    const earlier = this.testNames.get(metadata.name);
    if (earlier !== undefined) {
      const problem = `the test name ${metadata.name} is also at ${earlier}`;
      this.problems.push(new LocatedError(problem, place, 'Give each test a name of its own.'));
    }
    this.testNames.set(metadata.name, place);
    this.tests.push({ name: metadata.name, file, path, spec });
  }
}
