import { sha256 } from '../canonical-json.js';
import type { Journal } from './journal.js';
import type { DecideResult } from '../decision/decide.js';
import type { Decision } from '../decision/decision.js';
import type { DecisionService, EvaluationRequest } from '../decision/decision.service.js';
import type { Occasion } from '../decision/occasion.js';

/** Domains whose last decision is remembered, so that it is not recorded again while nothing has changed. */
const MAX_REMEMBERED = 20_000;

export type RecordedRequest = Omit<EvaluationRequest, 'evaluatedAt'>;

interface Remembered {
  /** Hash over the inputs but for the time. */
  inputs: string;
  id: string;
  evaluatedAt: string;
}

/** Decides and writes the decision down: what every surface that acts upon a decision calls. */
export class DecisionRecorder {
  private readonly last = new Map<string, Remembered>();

  constructor(
    private readonly decisions: DecisionService,
    private readonly journal: Journal,
    private readonly host: string,
    private readonly clock: () => Date = () => new Date(),
    private readonly decided: (decision: Decision, occasion: Occasion, seconds: number) => void = () => {},
  ) {}

  /**
   * The decision about a document, written down. One that changes nothing and has the same inputs as the last about that
   * domain is that same decision.
   *
   * @throws LocatedError where the document cannot be read
   */
  decide(request: RecordedRequest, occasion: Occasion): DecideResult {
    const startedAt = performance.now();
    const result = this.record(this.evaluate(request), occasion);
    this.decided(result.decision, occasion, (performance.now() - startedAt) / 1000);
    return result;
  }

  /**
   * The decision without writing it down.
   *
   * @param at for decisions that are compared: time must not pass between them
   * @throws LocatedError where the document cannot be read
   */
  evaluate(request: RecordedRequest, at: Date = this.clock()): DecideResult {
    return this.decisions.evaluate({ ...request, evaluatedAt: at.toISOString() });
  }

  now(): Date {
    return this.clock();
  }

  /** Writes a decision down, unless it is the last one about that domain once more; then it is that one. */
  record(result: DecideResult, occasion: Occasion): DecideResult {
    const { decision } = result;
    const { evaluatedAt, ...others } = decision.inputs;
    const inputs = sha256({ ...others, surface: occasion.surface });
    const domain = decision.domain.uuid ?? decision.domain.name;
    const known = this.last.get(domain);
    if (known?.inputs === inputs && decision.edits.length === 0) {
      const inputsThen = { ...decision.inputs, evaluatedAt: known.evaluatedAt };
      return { ...result, decision: { ...decision, id: known.id, inputs: inputsThen } };
    }
    this.last.delete(domain);
    this.last.set(domain, { inputs, id: decision.id, evaluatedAt });
    if (this.last.size > MAX_REMEMBERED) this.last.delete(this.last.keys().next().value!);
    this.journal.decision({ decision, occasion, host: this.host });
    return result;
  }
}
