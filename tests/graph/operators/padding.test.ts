import { describeGradients } from '../../support/finite-differences.ts';
import { paddingCases } from './cases/padding.ts';

describeGradients('padding', paddingCases);
