export class NameIndex {
  clear(): void {}
}
