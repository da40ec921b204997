import type { Field } from "../types";

const MOST = 60;

/** Drawings that undo goes back to. */
export class History {
  private readonly drawings: Field[];
  private at = 0;

  constructor(first: Field) {
    this.drawings = [first];
  }

  get present(): Field {
    return this.drawings[this.at];
  }

  get canUndo(): boolean {
    return this.at > 0;
  }

  get canRedo(): boolean {
    return this.at < this.drawings.length - 1;
  }

  /** Keep a new drawing; what was undone is gone. */
  push(image: Field): void {
    this.drawings.splice(this.at + 1, this.drawings.length, image);
    if (this.drawings.length > MOST) this.drawings.shift();
    this.at = this.drawings.length - 1;
  }

  move(by: 1 | -1): Field {
    this.at = Math.max(0, Math.min(this.drawings.length - 1, this.at + by));
    return this.present;
  }
}
