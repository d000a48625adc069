import { describeGradients } from '../../support/finite-differences.ts';
import { indexingCases } from './cases/indexing.ts';

describeGradients('indexing', indexingCases);
