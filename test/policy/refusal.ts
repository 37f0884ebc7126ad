import { SourceRefusal } from '../../src/policy/sources/source-refusal.js';

/** Why a revision was not taken; undefined where it was. @throws whatever else went wrong */
export async function refusalOf(work: Promise<unknown>): Promise<SourceRefusal | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof SourceRefusal) return error;
    throw error;
  }
}

export async function reasonOf(work: Promise<unknown>): Promise<string | undefined> {
  return (await refusalOf(work))?.reason;
}
